"""The child process in which a new model file is tried; see :mod:`service.inference.trial`."""

import json
import os
import signal
import sys
from contextlib import suppress
from typing import Final, NoReturn

from service.errors import ModelRefusedError
from service.inference.gpu_options import GpuPolicy
from service.inference.model_check import check_answers
from service.inference.providers import Provider
from service.inference.reasons import first_line
from service.inference.session import ModelSession
from service.inference.trial import TrialTask
from service.workers.child_process import data_bytes, end_before_service, end_with_parent, limit_memory, take_replies

_NICENESS: Final = 5
_ORIGIN: Final = "the model"
_SHORT_OF_MEMORY: Final = ("allocate memory", "bad_alloc")
"""Part of the messages of ONNX Runtime and of the C++ library when memory cannot be allocated."""


def main() -> NoReturn:
    """Reads the model from standard input, tries it, and writes the outcome to standard output."""
    answer = take_replies()
    task = TrialTask(**json.loads(sys.argv[1]))
    _limit(task)
    refusal = _try(sys.stdin.buffer.read(), task)
    os.write(answer, json.dumps({"refusal": refusal}).encode())
    os._exit(0)  # so that no destructor of an incomplete session runs


def _try(model: bytes, task: TrialTask) -> str:
    try:
        session = ModelSession(
            model,
            origin=_ORIGIN,
            provider=Provider("cpu"),
            intra_op_threads=task.intra_op_threads,
            max_batch_size=task.max_batch_size,
            gpu=GpuPolicy(memory_limit_bytes=0, cuda_graphs=False),
        )
        check_answers(session, _ORIGIN)
    except ModelRefusedError as error:
        refusal = str(error).removeprefix(f"{_ORIGIN}: ")
    except MemoryError:
        refusal = _SHORT_OF_MEMORY[0]
    except Exception as error:  # noqa: BLE001  any error while reading a model is a reason to refuse the model
        refusal = f"it cannot be loaded: {first_line(error)}"
    else:
        return ""
    if any(sign in refusal for sign in _SHORT_OF_MEMORY):
        return (
            f"it needs more memory than model_memory_limit_bytes, {task.memory_bytes}, allows for loading it and "
            "running one batch"
        )
    return refusal


def _limit(task: TrialTask) -> None:
    """Sets the limits of this process, except those that this system does not have."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, task.timeout_s)  # ends the process, also while native code runs
    with suppress(OSError):
        os.nice(_NICENESS)
    end_before_service()
    end_with_parent(task.parent)
    limit_memory(data_bytes(), task.memory_bytes)
