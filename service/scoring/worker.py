"""The work of a worker process: reads and decodes a chunk of pictures and runs the model, with its own session.

Processes are used instead of threads because reading a file and decoding a small picture hold Python's global lock.
Each runs its network on one core: several pictures in parallel take less time than one at a time on all cores.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging import Limits, PictureError, Target, read
from service.errors import ScoringError
from service.inference import GpuPolicy, LoadedModel, ModelRepository, ModelSession, Provider
from service.scoring.pictures import Picture


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """The parameters of all workers of a run.

    Attributes:
        models_dir: the model repository.
        name: of the model.
        version: of the model.
        provider: execution provider that runs it.
        batch_size: most images in one run; None: the best size for the model, as measured.
        limits: of a picture.
        gpu: how much of a GPU a session may use.
        sha256: of the model's file, in hexadecimal digits; None: of any file.
    """

    models_dir: Path
    name: str
    version: str
    provider: Provider
    batch_size: int | None
    limits: Limits
    gpu: GpuPolicy
    sha256: str | None = None


class Fault(NamedTuple):
    """A picture that could not be scored.

    Attributes:
        name: of the picture.
        reason: why.
    """

    name: str
    reason: str


class ChunkResult(NamedTuple):
    """The result of a chunk.

    Attributes:
        order: names of all its pictures, in the order of the input.
        names: of the scored pictures, in the same order.
        probabilities: float32 [N, K], of the scored pictures.
        faults: the other pictures.
        seconds: time that the chunk took.
    """

    order: list[str]
    names: list[str]
    probabilities: NDArray[np.float32]
    faults: list[Fault]
    seconds: float


def open_model(spec: WorkerSpec) -> LoadedModel:
    """Loads and checks the model.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelRefusedError: it may not be used.
        ScoringError: it is another file than the run began with, so a table would hold the answers of two models.
    """
    repository = ModelRepository(
        spec.models_dir,
        provider=spec.provider,
        intra_op_threads=1,
        max_batch_size=spec.batch_size,
        gpu=spec.gpu,
    )
    loaded = repository.load(spec.name, spec.version)
    if spec.sha256 not in (None, loaded.source.sha256):
        raise ScoringError(
            f"the file of model {spec.name} version {spec.version} is not the one that the run began with"
        )
    return loaded


def score_chunk(spec: WorkerSpec, pictures: Sequence[Picture]) -> ChunkResult:
    """Scores pictures; called in a worker process, which keeps its session for later chunks."""
    return _worker(spec).score(pictures)


@lru_cache(maxsize=1)
def _worker(spec: WorkerSpec) -> "_Worker":
    return _Worker(open_model(spec).session, spec.limits)


class _Worker:
    def __init__(self, session: ModelSession, limits: Limits) -> None:
        self._session = session
        self._target = Target.of(session.metadata)
        self._classes = len(session.metadata.labels)
        self._limits = limits
        self._images = np.empty((session.max_batch_size, *self._target.shape), np.uint8)

    def score(self, pictures: Sequence[Picture]) -> ChunkResult:
        started = time.perf_counter()
        names: list[str] = []
        faults: list[Fault] = []
        rows: list[NDArray[np.float32]] = []
        filled = 0
        for picture in pictures:
            try:
                self._images[filled] = read(picture.read(), self._target, self._limits.check)
            except (OSError, PictureError, ScoringError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                faults.append(Fault(picture.name, reason or "it cannot be read"))
                continue
            except MemoryError:
                faults.append(Fault(picture.name, "there is not enough memory to read it"))
                continue
            names.append(picture.name)
            filled += 1
            if filled == len(self._images):
                rows.append(self._session.run(self._images))
                filled = 0
        if filled:
            rows.append(self._session.run(self._images[:filled]))
        probabilities = np.concatenate([np.empty((0, self._classes), np.float32), *rows])
        is_finite = np.isfinite(probabilities).all(axis=1)
        if not is_finite.all():
            faults += [Fault(names[at], "the model's answer is not finite") for at in np.flatnonzero(~is_finite)]
            names = [names[at] for at in np.flatnonzero(is_finite)]
        order = [picture.name for picture in pictures]
        return ChunkResult(order, names, probabilities[is_finite], faults, time.perf_counter() - started)
