"""Tries a new model file in a child process, before it is loaded in this process.

ONNX Runtime has no limit of time or memory for loading and running a model, and an error in its native code ends the
process. So a new file is first loaded, checked, and run at the largest batch size in a child process::

    file ─> child: limits of memory and time ─> load ─> golden images ─> largest batch ─> outcome, or the child's end

There is always an outcome, even if the child is killed: the model may be loaded, or the reason why not.
"""

import json
import logging
import os
import signal
import subprocess
from dataclasses import asdict, dataclass
from typing import Final

from service.inference.known_models import Outcome
from service.workers.child_process import start_child

logger = logging.getLogger(__name__)

_GRACE_S: Final = 5.0  # the child ends itself at its time limit; if it does not, it is killed so much later
_RUN_CHILD: Final = "from service.inference.trial_process import main; main()"


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """Limits of loading one model.

    Attributes:
        timeout_s: seconds, for the trial and for the loading itself.
        memory_bytes: memory of the trial beyond what an empty process has. Enforced on Linux.
    """

    timeout_s: float
    memory_bytes: int


DEFAULT_LIMITS: Final = LoadLimits(timeout_s=120.0, memory_bytes=4 << 30)


@dataclass(frozen=True, slots=True)
class TrialTask:
    """The parameters of the child process.

    Attributes:
        intra_op_threads: threads of one run.
        max_batch_size: images in the run that is tried.
        timeout_s: seconds after which the child ends itself.
        memory_bytes: limit of its memory.
        parent: process id of the parent.
    """

    intra_op_threads: int
    max_batch_size: int
    timeout_s: float
    memory_bytes: int
    parent: int


class TrialImpossibleError(Exception):
    """No child process can be started here."""


def try_out(model: bytes, *, intra_op_threads: int, max_batch_size: int, limits: LoadLimits) -> Outcome:
    """Tries a model on the CPU, and waits for the outcome.

    Args:
        model: the file's content.
        intra_op_threads: threads of one run.
        max_batch_size: images in the largest batch.
        limits: of the trial.

    Returns:
        The outcome; its refusal does not name the file.

    Raises:
        TrialImpossibleError: no process can be started.
    """
    task = TrialTask(intra_op_threads, max_batch_size, limits.timeout_s, limits.memory_bytes, parent=os.getpid())
    try:
        child = start_child(_RUN_CHILD, json.dumps(asdict(task)), stderr=subprocess.DEVNULL)
    except OSError as error:
        raise TrialImpossibleError(str(error)) from error
    try:
        answer, _ = child.communicate(model, limits.timeout_s + _GRACE_S)
        status = child.returncode
    except subprocess.TimeoutExpired:
        answer, status = b"", -signal.SIGALRM
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
    try:
        return Outcome(json.loads(answer)["refusal"])
    except (ValueError, KeyError, TypeError):
        return _why_it_ended(status, limits)


def _why_it_ended(status: int, limits: LoadLimits) -> Outcome:
    memory = f"model_memory_limit_bytes is {limits.memory_bytes}"
    if status == -signal.SIGALRM:
        return Outcome(
            f"loading it and running one batch did not end within {limits.timeout_s:g} s; a model that needs longer "
            "needs a larger model_load_timeout_s",
            may_pass=True,
        )
    if status == -signal.SIGKILL:
        return Outcome(
            f"the process that tried it was killed, as happens where memory is short; {memory}", may_pass=True
        )
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    return Outcome(f"it ended the process that tried it ({how}), by an error in native code or for memory; {memory}")
