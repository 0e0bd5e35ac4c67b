"""The processes of ``convoy score``: what happens when they end, and what their pictures hold in memory."""

import multiprocessing
import os
from collections.abc import Sequence

import numpy as np
import pytest

from service.errors import ScoringError
from service.scoring.pictures import Picture, SentPicture
from service.scoring.pool import WorkerPool
from service.scoring.worker import ChunkResult

pytestmark = pytest.mark.slow


def length_of(pictures: Sequence[Picture]) -> ChunkResult:
    """A scorer that returns the length of the bytes; one file name ends the process."""
    names = [picture.name for picture in pictures]
    if "deadly" in names:
        os._exit(1)
    return ChunkResult(names, names, np.array([[len(picture.read())] for picture in pictures], np.float32), [], 0.01)


def test_a_picture_that_ends_the_process_is_named_and_the_others_are_scored() -> None:
    pictures = [SentPicture("deadly" if n == 21 else f"{n}", bytes(n)) for n in range(40)]
    with WorkerPool(length_of, workers=1, classes=1) as pool:
        results = list(pool.results(iter(pictures)))
    assert [name for result in results for name in result.order] == [picture.name for picture in pictures]
    assert [fault.name for result in results for fault in result.faults] == ["deadly"]
    lengths = np.concatenate([result.probabilities for result in results])[:, 0].tolist()
    assert lengths == [n for n in range(40) if n != 21]


def test_the_process_that_scores_singly_ends_with_the_run() -> None:
    with WorkerPool(length_of, workers=1, classes=1) as pool:
        of_others = set(multiprocessing.active_children())
        results = pool._score_singly([[SentPicture("0", b""), SentPicture("1", b"")]])
        next(results)
        [started] = set(multiprocessing.active_children()) - of_others
        results.close()  # type: ignore[attr-defined]
        assert not started.is_alive()


def end_the_process(pictures: Sequence[Picture]) -> ChunkResult:
    os._exit(len(pictures))


def test_a_model_that_ends_every_process_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.scoring.pool._MOST_ENDED", 2)
    pictures = iter([SentPicture(f"{n}", b"") for n in range(1000)])
    with WorkerPool(end_the_process, workers=1, classes=1) as pool, pytest.raises(ScoringError, match="go on with --"):
        list(pool.results(pictures))
    assert sum(1 for _ in pictures) > 900


def test_what_pictures_hold_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.scoring.pool._MOST_CHUNK_BYTES", 2 << 10)
    monkeypatch.setattr("service.scoring.pool._MOST_HELD_BYTES", 4 << 10)
    pictures = iter([SentPicture(f"{n}", bytes(1 << 10)) for n in range(1000)])
    with WorkerPool(length_of, workers=2, classes=1) as pool:
        next(pool.results(pictures))
    assert sum(1 for _ in pictures) >= 1000 - 4 - 3
