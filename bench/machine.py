"""Describes the environment of a measurement: hardware, system, versions, commit."""

import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """Hardware and system.

    Attributes:
        cpu: model name.
        cores: number of cores that this process may use.
        memory_gib: of the machine.
        hypervisor: whether the machine is virtual, so that other virtual machines may disturb the measurement.
        system: kernel and distribution.
        python: version of the interpreter that runs Convoy.
        load_average: of the minute before.
    """

    cpu: str
    cores: int
    memory_gib: float
    hypervisor: bool
    system: str
    python: str
    load_average: float


def describe_machine() -> Machine:
    """Describes this machine. Linux only, as the rest of the bench."""
    info = Path("/proc/cpuinfo").read_text()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in info.splitlines())}
    family = f"family {fields.get('cpu family')} model {fields.get('model')}"
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return Machine(
        cpu=f"{fields.get('model name', platform.machine())} ({family}, {float(fields.get('cpu MHz', 0)):.0f} MHz)",
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(pages / 2**30, 1),
        hypervisor="hypervisor" in fields.get("flags", ""),
        system=f"{release}, Linux {platform.release()}",
        python=sys.version.split()[0],
        load_average=round(os.getloadavg()[0], 2),
    )


def versions_in(python: str, packages: Sequence[str]) -> dict[str, str]:
    """The versions of some packages in an environment.

    Args:
        python: its interpreter.
        packages: names of distributions.

    Returns:
        Versions by name, for the packages that are installed.
    """
    script = (
        "import importlib.metadata as m, json, sys\n"
        "installed = {d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}\n"
        "print(json.dumps({n: installed[n] for n in sys.argv[1:] if n in installed}))"
    )
    command = [python, "-c", script, *packages]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(finished.stdout)
    return found


def is_compiled() -> bool:
    """Whether the request path is C extensions here, as in Docker images (decision 0018)."""
    found = importlib.util.find_spec("service.api.plain_answer")
    return found is not None and (found.origin or "").endswith(".so")


def commit() -> str:
    """The measured commit, with a plus where the sources differ from it; empty outside a repository."""
    run = subprocess.run(["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False)
    return run.stdout.strip()
