"""Spreads chunks of pictures over worker processes, and gives their results back in order.

::

    pictures ─> chunks of 8 to 512 ─> enough in flight to keep all workers busy ─> results, the oldest first

The size of chunks is adjusted so that a worker needs a fraction of a second for one: small pictures have little
overhead each, and large ones do not delay the next result. If a picture ends the process that reads it, the chunks in
flight are scored again picture by picture, so that this picture is named and all others are scored.
"""

import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np

from service.errors import ScoringError
from service.scoring.pictures import Picture, SentPicture
from service.scoring.worker import ChunkResult, Fault
from service.workers.child_process import end_with_parent

Score = Callable[[Sequence[Picture]], ChunkResult]

_LEAST_CHUNK: Final = 8
_MOST_CHUNK: Final = 512
_SHORT_CHUNK_S: Final = 0.1
_LONG_CHUNK_S: Final = 0.5
_CHUNKS_A_WORKER: Final = 3
_MOST_CHUNK_BYTES: Final = 32 << 20  # of pictures with their bytes in one chunk
_MOST_HELD_BYTES: Final = 256 << 20  # the same for all chunks in flight; one more picture may be added
_MOST_ENDED: Final = 16


class Pool(Protocol):
    """Scores pictures in worker processes on this machine, or with another engine on other machines."""

    def __enter__(self) -> Self:
        """Starts it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""

    def results(self, pictures: Iterator[Picture]) -> Iterator[ChunkResult]:
        """Scores pictures; results come in their order."""


class WorkerPool:
    """Worker processes for one run.

    Args:
        score: scores a chunk; it is sent to the workers.
        workers: number of processes.
        classes: K.
    """

    def __init__(self, score: Score, workers: int, classes: int) -> None:
        self._score = score
        self._workers = workers
        self._classes = classes
        self._executor = self._start(workers)
        self._chunk = _LEAST_CHUNK

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(cancel_futures=True)

    def results(self, pictures: Iterator[Picture]) -> Iterator[ChunkResult]:
        """Scores pictures.

        Yields:
            The result of each chunk, in the order of the pictures.
        """
        in_flight: deque[tuple[list[Picture], Future[ChunkResult]]] = deque()
        held = 0
        while True:
            while len(in_flight) < _CHUNKS_A_WORKER * self._workers and held <= _MOST_HELD_BYTES:
                chunk = self._take(pictures)
                if not chunk:
                    break
                held += _held_bytes(chunk)
                in_flight.append((chunk, self._submit(chunk)))
            if not in_flight:
                return
            chunk, scoring = in_flight.popleft()
            held -= _held_bytes(chunk)
            try:
                result = scoring.result()
            except BrokenProcessPool:
                yield from self._score_singly([chunk, *(later for later, _ in in_flight)])
                in_flight.clear()
                held = 0
                self._executor = self._start(self._workers)
                continue
            self._fit_chunk(result.seconds)
            yield result

    def _take(self, pictures: Iterator[Picture]) -> list[Picture]:
        """The next chunk; it has fewer pictures where they are sent with their bytes and are large."""
        chunk: list[Picture] = []
        held = 0
        while len(chunk) < self._chunk and held <= _MOST_CHUNK_BYTES and (picture := next(pictures, None)) is not None:
            chunk.append(picture)
            held += _held_bytes((picture,))
        return chunk

    @staticmethod
    def _start(workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_follow, initargs=(os.getpid(),)
        )

    def _submit(self, chunk: list[Picture]) -> "Future[ChunkResult]":
        try:
            return self._executor.submit(self._score, chunk)
        except BrokenProcessPool as error:  # a worker has ended between two results
            failed: Future[ChunkResult] = Future()
            failed.set_exception(error)
            return failed

    def _score_singly(self, chunks: list[list[Picture]]) -> Iterator[ChunkResult]:
        executor = self._start(1)
        ended = 0
        try:
            for picture in itertools.chain.from_iterable(chunks):
                try:
                    yield executor.submit(self._score, [picture]).result()
                    ended = 0
                except BrokenProcessPool:
                    ended += 1
                    if ended == _MOST_ENDED:
                        raise ScoringError(
                            f"the process that scores ended at each of {ended} pictures in turn: there may not be "
                            "memory enough for the model; what is finished is kept: go on with --resume"
                        ) from None
                    fault = Fault(picture.name, "the process that read it ended: an error in native code, or no memory")
                    yield ChunkResult([picture.name], [], np.empty((0, self._classes), np.float32), [fault], 0.0)
                    executor = self._start(1)
        finally:
            executor.shutdown(cancel_futures=True)

    def _fit_chunk(self, seconds: float) -> None:
        if seconds < _SHORT_CHUNK_S:
            self._chunk = min(2 * self._chunk, _MOST_CHUNK)
        elif seconds > _LONG_CHUNK_S:
            self._chunk = max(self._chunk // 2, _LEAST_CHUNK)


def _follow(parent: int) -> None:
    """Prepares a worker: it ignores Ctrl-C, which its parent handles, and ends whenever its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)


def _held_bytes(pictures: Sequence[Picture]) -> int:
    return sum(len(picture.data) for picture in pictures if isinstance(picture, SentPicture))
