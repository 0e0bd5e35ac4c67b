"""Explanations give way to predictions of any model, and are fast where nothing else is asked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from service.explaining.pace import Pace
from service.models.catalog import ServedModel

SLICE_S = 0.01


@dataclass
class Metrics:
    """What the pace reads of a model's metrics."""

    recent: int = 0
    probes: int = 0


@dataclass
class Queue:
    """What it reads of a model's batcher."""

    outstanding: int = 0
    capacity: int = 1000


@dataclass
class Engine:
    """What computes a model's answers."""

    batcher: Queue = field(default_factory=Queue)


@dataclass
class Model:
    """A model, as far as the pace looks at it."""

    metrics: Metrics = field(default_factory=Metrics)
    engine: Engine | None = field(default_factory=Engine)

    @property
    def batcher(self) -> Queue:
        """Of a model that is loaded."""
        assert self.engine is not None
        return self.engine.batcher


@pytest.fixture
def models() -> list[Model]:
    """One that is explained, another one, and one that is not loaded."""
    return [Model(Metrics(probes=1), Engine(Queue(64))), Model(), Model(engine=None)]


@pytest.fixture
def rest(models: list[Model], monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """Rests once after a slice, and says for how many seconds."""
    pace, slept = Pace(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)

    def rest() -> float:
        slept.clear()
        asyncio.run(pace.rest(SLICE_S, cast("list[ServedModel]", models)))
        return sum(slept)

    rest()  # the first time it is not known whether anything was predicted
    return rest


def test_an_idle_service_explains_at_full_speed(rest: Callable[[], float]) -> None:
    assert [rest() for _ in range(3)] == pytest.approx([SLICE_S] * 3)


@pytest.mark.parametrize("which", [0, 1], ids=["the explained model", "another model"])
def test_a_slice_waits_long_after_a_prediction(rest: Callable[[], float], models: list[Model], which: int) -> None:
    models[which].metrics.recent += 1
    assert rest() > 10 * SLICE_S
    assert rest() == pytest.approx(SLICE_S)


@pytest.mark.parametrize("which", [0, 1], ids=["the explained model", "another model"])
def test_a_slice_waits_long_beside_a_prediction(rest: Callable[[], float], models: list[Model], which: int) -> None:
    models[which].batcher.outstanding += 1
    assert [rest() > 10 * SLICE_S for _ in range(2)] == [True, True]


def test_explanations_that_wait_for_their_turn_are_no_predictions(
    rest: Callable[[], float], models: list[Model]
) -> None:
    models[0].metrics.probes, models[0].batcher.outstanding = 3, 3 * 64
    models[1].metrics.probes, models[1].batcher.outstanding, models[1].batcher.capacity = 1, 8, 8
    assert rest() == pytest.approx(SLICE_S)
