"""The quota of CPU time is found for a process in any control group."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.workers.cores import available_cores
from tests.process import ROOT

CGROUP_1 = Path("/sys/fs/cgroup/cpu")
V2 = "31 23 0:28 {group} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "32 31 0:29 {group} /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/memory rw shared:11 - cgroup cgroup rw,memory\n"
)


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))


def system(root: Path, cgroup: str, mountinfo: str, files: dict[str, str]) -> Path:
    for name, text in ({"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo} | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 16), ("200000 100000", 2), ("190000 100000", 1), ("50000 100000", 1), ("9999999 100000", 16)],
)
def test_a_container_with_a_namespace_of_its_own(tmp_path: Path, quota: str, cores: int) -> None:
    files = {"sys/fs/cgroup/cpu.max": f"{quota}\n"}
    assert available_cores(system(tmp_path, "0::/\n", V2.format(group="/"), files)) == cores


def test_a_systemd_unit_and_the_slices_above_it(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/system.slice/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/system.slice/convoy.service/cpu.max": "max 100000\n",
    }
    root = system(tmp_path, "0::/system.slice/convoy.service\n", V2.format(group="/"), files)
    assert available_cores(root) == 3
    (root / "sys/fs/cgroup/system.slice/convoy.service/cpu.max").write_text("250000 100000\n")
    assert available_cores(root) == 2


def test_a_container_that_sees_the_host_s_path(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.max": "400000 100000\n"}
    root = system(tmp_path, "0::/docker/4f2a\n", V2.format(group="/docker/4f2a"), files)
    assert available_cores(root) == 4


def test_a_path_outside_of_the_namespace(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.max": "400000 100000\n"}
    assert available_cores(system(tmp_path, "0::/../other\n", V2.format(group="/"), files)) == 4


@pytest.mark.parametrize(("group", "path"), [("/", "/kubepods/pod1"), ("/kubepods/pod1", "/kubepods/pod1")])
def test_version_1(tmp_path: Path, group: str, path: str) -> None:
    folder = "sys/fs/cgroup/cpu,cpuacct" + (path if group == "/" else "")
    files = {f"{folder}/cpu.cfs_quota_us": "350000\n", f"{folder}/cpu.cfs_period_us": "100000\n"}
    cgroup = f"5:memory:/elsewhere\n4:cpu,cpuacct:{path}\n0::/\n"
    assert available_cores(system(tmp_path, cgroup, V1.format(group=group), files)) == 3


def test_version_1_without_a_limit(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    assert available_cores(system(tmp_path, "4:cpu,cpuacct:/\n", V1.format(group="/"), files)) == 16


def test_a_system_without_control_groups(tmp_path: Path) -> None:
    assert available_cores(tmp_path) == 16


@pytest.mark.skipif(
    not os.access(CGROUP_1, os.W_OK) or not (CGROUP_1 / "cpu.cfs_quota_us").parent.is_dir() or os.geteuid() != 0,
    reason="only root may make a control group, and here is none of version 1",
)
def test_a_real_control_group() -> None:
    outer = CGROUP_1 / f"convoy-test-{os.getpid()}"
    inner = outer / "inner"
    inner.mkdir(parents=True)
    try:
        (outer / "cpu.cfs_quota_us").write_text("100000")
        script = "from service.workers.cores import available_cores; print(available_cores())"
        command = f'echo $$ >{inner}/cgroup.procs; exec {sys.executable} -c "{script}"'
        shown = subprocess.run(["sh", "-c", command], cwd=ROOT, check=True, capture_output=True, text=True)
        assert shown.stdout == "1\n"
    finally:
        inner.rmdir()
        outer.rmdir()
