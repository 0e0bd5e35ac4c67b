"""The folder in which workers share their metrics: which process removes it, and what happens when it is full."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from service.workers.metrics_folder import MetricsFolder
from tests.process import ROOT, ServerProcess
from tests.telemetry.metrics.page import Page

pytestmark = pytest.mark.slow

PNG = {"Content-Type": "image/png"}
CAN_MOUNT = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], check=False).returncode == 0
needs_mount = pytest.mark.skipif(not CAN_MOUNT, reason="only root may mount a small file system")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(path))
    return path


def test_the_last_process_to_leave_removes_it(temporary: Path) -> None:
    folder = MetricsFolder.make()
    other = MetricsFolder(folder.path)
    folder.leave()
    assert list(temporary.iterdir()) == [folder.path]
    other.leave()
    assert not list(temporary.iterdir())


@pytest.mark.usefixtures("temporary")
def test_a_process_that_leaves_it_twice_closes_no_other_file() -> None:
    folder = MetricsFolder.make()
    folder.leave()
    with Path(os.devnull).open() as other:  # gets the number of the closed file
        folder.leave()
        os.fstat(other.fileno())


def test_a_new_one_removes_those_that_nobody_uses(temporary: Path) -> None:
    used = MetricsFolder.make()
    (temporary / "convoy-metrics-killed").mkdir()
    (temporary / "convoy-metrics-killed" / "counter_1.db").write_bytes(b"")
    (temporary / "convoy-metrics-elsewhere").symlink_to(ROOT)
    folder = MetricsFolder.make()
    assert set(temporary.iterdir()) == {used.path, folder.path, temporary / "convoy-metrics-elsewhere"}
    assert ROOT.exists()
    used.leave()
    folder.leave()


def test_workers_whose_parent_is_killed_leave_nothing_behind(temporary: Path, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log", "--workers", "2", env={"TMPDIR": str(temporary)}) as process:
        workers = process.workers()
        assert len(list(temporary.glob("convoy-metrics-*"))) == 1
        process.process.kill()
        assert not psutil.wait_procs(workers, timeout=20)[1]
    assert not list(temporary.iterdir())


@needs_mount
def test_without_any_temporary_folder_one_line_says_so(tmp_path: Path, cat: bytes) -> None:
    # Mounted read-only and not hidden, since the project itself may be below them.
    mounts = " && ".join(
        f"mount --bind {path} {path} && mount -o remount,ro,bind {path}" for path in ("/tmp", "/var/tmp")
    )
    script = f'{mounts} && cd /proc && exec "$@"'
    flags = ("--workers", "2", "--models-dir", str(ROOT / "models"), "--log-format", "text")
    env = {"PYTHONPATH": str(ROOT), "TMPDIR": "/nowhere"}
    with ServerProcess(
        tmp_path / "log", *flags, env=env, before=("unshare", "-m", "sh", "-c", script, "sh")
    ) as process:
        assert httpx.post(f"{process.url}/predict", content=cat, headers=PNG).status_code == 200
        page = Page(httpx.get(f"{process.url}/metrics").text)
        assert (page.value("convoy_ready"), page.value("convoy_metrics_complete")) == (1, 0)
    log = (tmp_path / "log").read_text()
    assert log.count("no temporary folder for the metrics of all workers: /metrics shows one worker alone") == 1
    assert "Traceback" not in log


class SmallDevice:
    """A service with a small file system as its temporary folder, in its own mount namespace."""

    def __init__(self, folder: Path, log: Path, size: str) -> None:
        folder.mkdir()
        script = f'mount -t tmpfs -o size={size} none {folder} && exec "$@"'
        self.process = ServerProcess(
            log, "--workers", "2", env={"TMPDIR": str(folder)}, before=("unshare", "-m", "sh", "-c", script, "sh")
        )
        self._folder = folder

    def fill(self) -> None:
        inside = Path(f"/proc/{self.process.process.pid}/root{self._folder}")
        with (inside / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallDevice]:
    device = SmallDevice(tmp_path / "small", tmp_path / "log", "1m")
    with device.process:
        yield device


@needs_mount
def test_a_device_that_fills_up_ends_nothing(small: SmallDevice, cat: bytes) -> None:
    process = small.process
    small.fill()
    first = process.workers()
    os.kill(first[0].pid, signal.SIGKILL)  # its replacement needs new files
    first[0].wait()
    while process.log.read_text().count("ready for requests") < 3:
        time.sleep(0.05)
    assert httpx.post(f"{process.url}/predict", content=cat, headers=PNG).status_code == 200
    pages = [Page(httpx.get(f"{process.url}/metrics").text) for _ in range(12)]
    assert {page.value("convoy_metrics_complete") for page in pages} <= {0, 1}
    assert any(page.value("convoy_metrics_complete") == 0 for page in pages)
    assert first[1].is_running()
    log = process.log.read_text()
    assert log.count("has no room for the metrics (No space left on device)") == 1
    assert log.count("died with") == 1
    assert "Traceback" not in log


@needs_mount
def test_a_device_that_is_full_at_the_start_ends_nothing(tmp_path: Path, cat: bytes) -> None:
    device = SmallDevice(tmp_path / "small", tmp_path / "log", "8k")
    with device.process as process:
        assert httpx.post(f"{process.url}/predict", content=cat, headers=PNG).status_code == 200
        assert Page(httpx.get(f"{process.url}/metrics").text).value("convoy_metrics_complete") == 0
        assert process.stop() == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


GROW = """
import sys
from pathlib import Path
from service.workers.shared_values import share_values, shared_folder
share_values(Path(sys.argv[1]))
from prometheus_client import CollectorRegistry, Counter
counter = Counter("images", "Images.", ("label",), registry=CollectorRegistry())
numbers = 0
while shared_folder() is not None:
    counter.labels(str(numbers)).inc()
    numbers += 1
for number in range(numbers + 1000):
    counter.labels(str(number)).inc()
print(numbers)
"""


@needs_mount
def test_a_file_that_cannot_grow_ends_nothing(tmp_path: Path) -> None:
    script = f'mount -t tmpfs -o size=200k none {tmp_path} && exec "$@"'
    command = ("unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", GROW, str(tmp_path))
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert 500 < int(shown.stdout) < 2000  # a file of 128 KiB, and no room for one of 256
    assert shown.stderr.count("has no room for the metrics") == 1


JOIN = """
import os, sys
from pathlib import Path
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]  # as a worker inherits it
from service.workers.worker_process import _join
assert _join(Path(sys.argv[1])) is None
from prometheus_client import CollectorRegistry, Gauge
registry = CollectorRegistry()
Gauge("ready", "Ready.", registry=registry, multiprocess_mode="livesum").set(1)
print(registry.get_sample_value("ready"))
"""


def test_a_worker_that_starts_after_it_was_removed_has_metrics_of_its_own(tmp_path: Path) -> None:
    command = (sys.executable, "-c", JOIN, str(tmp_path / "removed"))
    shown = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert shown.stdout == "1.0\n", shown.stderr
    assert "removed is not there" in shown.stderr


COUNT = """
import os, sys
from pathlib import Path
from service.workers.shared_values import share_values
share_values(Path(sys.argv[1]))
from prometheus_client import CollectorRegistry, Counter, Gauge
registry = CollectorRegistry()
Counter("images", "Images.", ("model",), registry=registry).labels("mnist").inc(3)
Gauge("build", "Build.", registry=registry, multiprocess_mode="max").set(1)
print(os.getpid())
"""


def test_workers_that_end_again_and_again_do_not_fill_it(tmp_path: Path) -> None:
    script = f"""
import sys, subprocess
from pathlib import Path
from service.workers.shared_values import share_values
folder = Path(sys.argv[1])
share_values(folder)
from prometheus_client import CollectorRegistry
from service.telemetry.metrics import Metrics
from service.workers.worker_metrics import WorkerMetrics
workers = WorkerMetrics(CollectorRegistry())
for _ in range(3):
    pid = subprocess.run([sys.executable, "-c", {COUNT!r}, folder], check=True, capture_output=True).stdout
    workers.died(int(pid))
    print(sorted(path.name for path in folder.glob("*.db") if path.name.startswith(("gauge", "counter_ended"))))
metrics = Metrics(version="1", workers=2)
print([sample.value for sample in metrics.samples() if sample.name == "images_total"])
"""
    shown = subprocess.run(
        [sys.executable, "-c", script, tmp_path], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert shown.splitlines() == ["['counter_ended.db']"] * 3 + ["[9.0]"]
