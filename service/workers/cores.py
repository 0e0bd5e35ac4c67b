"""Finds how many cores this process may use.

A container, a Kubernetes pod with a CPU limit and a systemd unit with ``CPUQuota`` have a quota of CPU time, which the
affinity does not show. It is read from the process's control group and from every group above it.

Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (``cpu.max``) and
https://docs.kernel.org/scheduler/sched-bwc.html (``cpu.cfs_quota_us``).
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

_ROOT: Final = Path("/")
_PARENT: Final = ".."


def available_cores(root: Path = _ROOT) -> int:
    """Cores that this process may use at once: its affinity, or less where its quota of CPU time is lower.

    A fractional quota is rounded down, but to at least 1: with one thread more than the quota allows, all threads of
    the process are stopped for the rest of each period, which is usually 100 ms.

    Args:
        root: of the file system, other than ``/`` in tests.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(int(quota) for quota in _quotas(root))]))


class _Mount(NamedTuple):
    """A hierarchy of control groups in the file system.

    Attributes:
        group: the control group that is visible at the mount point.
        point: the mount point.
        version: 1 or 2.
    """

    group: PurePosixPath
    point: Path
    version: int


def _quotas(root: Path) -> Iterator[float]:
    """The quota, in cores, of each control group around this process that has one."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = list(_mounts(root))
    except OSError:  # not Linux
        return
    for line in groups:
        number, controllers, path = line.split(":", 2)
        version = 2 if number == "0" and not controllers else 1
        if version == 1 and "cpu" not in controllers.split(","):
            continue
        for mount in mounts:
            if mount.version == version:
                yield from _quotas_below(mount, PurePosixPath(path))


def _mounts(root: Path) -> Iterator[_Mount]:
    """The mounts of version 2, and those of the ``cpu`` controller of version 1. Source: proc_pid_mountinfo(5)."""
    for line in (root / "proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options.split(",")):
            _, _, _, group, point, *_ = fields.split(" ")
            yield _Mount(PurePosixPath(group), root / point.lstrip("/"), 2 if kind == "cgroup2" else 1)


def _quotas_below(mount: _Mount, group: PurePosixPath) -> Iterator[float]:
    # A container without its own namespace sees the host's path of its group, but its group as the root of the mount.
    inside = group.relative_to(mount.group) if group.is_relative_to(mount.group) else group.relative_to("/")
    if _PARENT in inside.parts:  # not visible to this process
        inside = PurePosixPath()
    for path in (inside, *inside.parents):
        quota = _read_quota(mount.point / path, mount.version)
        if quota is not None:
            yield quota


def _read_quota(folder: Path, version: int) -> float | None:
    try:
        if version == 2:
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # the root group has no quota, and "max" means no limit
        return None
