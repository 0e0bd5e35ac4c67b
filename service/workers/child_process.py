"""Child processes for work that may need too much time or memory: the parent starts them, and they limit themselves."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import service

_PR_SET_PDEATHSIG: Final = 1
# NumPy's linear algebra library would start a thread for each core: its stacks count as memory, and a process with
# threads should not be forked.
_VARIABLES: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def start_child(code: str, *arguments: str, stderr: int | None = None) -> "subprocess.Popen[bytes]":
    """Starts the Python interpreter of this process in a child, with unbuffered pipes as standard input and output.

    Args:
        code: what the child runs; it finds the modules that this process finds.
        arguments: become ``sys.argv[1:]``.
        stderr: where its standard error goes, as for ``subprocess.Popen``.

    Raises:
        OSError: no process can be started.
    """
    folders = [str(Path(service.__file__).parent.parent), *filter(None, sys.path)]
    return subprocess.Popen(  # noqa: S603  the interpreter that runs this
        [sys.executable, "-P", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        bufsize=0,
        env=os.environ | _VARIABLES | {"PYTHONPATH": os.pathsep.join(folders)},
        start_new_session=True,  # so that a signal to this process's group does not reach the child
    )


def take_replies() -> int:
    """Called in the child: returns a descriptor for its replies, since libraries may print to standard output."""
    replies = os.dup(1)
    os.dup2(2, 1)
    return replies


def end_before_service() -> None:
    """Called in the child: it leaves no core file, and when memory is short, the kernel ends it before the service."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def data_bytes() -> int | None:
    """The memory of this process that a limit counts, in bytes; None where the kernel does not report it."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return None


def limit_memory(base_bytes: int | None, memory_bytes: int) -> None:
    """Called in the child: limits its memory; does nothing where the kernel does not report or limit it.

    Args:
        base_bytes: from :func:`data_bytes`, when it had no work.
        memory_bytes: what it may take beyond that.
    """
    if base_bytes is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        with suppress(OSError, ValueError):
            most = base_bytes + memory_bytes
            resource.setrlimit(
                resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
            )


def end_with_parent(parent: int) -> None:
    """Called in the child: the kernel ends it when its parent has ended; does nothing on systems other than Linux.

    Source: prctl(2), ``PR_SET_PDEATHSIG``.

    Args:
        parent: process id of the parent; if the parent has ended already, this process ends at once.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
