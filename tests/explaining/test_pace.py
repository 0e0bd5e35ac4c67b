"""Explanations yield to predictions of any model, and are fast where there are no other requests."""

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
    """The metrics of a model that the pace reads."""

    recent: int = 0
    probes: int = 0


@dataclass
class Queue:
    """The state of a model's batcher that the pace reads."""

    outstanding: int = 0
    capacity: int = 1000


@dataclass
class Engine:
    """The engine of a model."""

    batcher: Queue = field(default_factory=Queue)


@dataclass
class Model:
    """A model with the parts that the pace reads."""

    metrics: Metrics = field(default_factory=Metrics)
    engine: Engine | None = field(default_factory=Engine)

    @property
    def batcher(self) -> Queue:
        """The batcher of a loaded model."""
        assert self.engine is not None
        return self.engine.batcher


@pytest.fixture
def models() -> list[Model]:
    """The explained model, another model, and one that is not loaded."""
    return [Model(Metrics(probes=1), Engine(Queue(64))), Model(), Model(engine=None)]


@pytest.fixture
def rest(models: list[Model], monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """Pauses once after a slice; returns the seconds of the pause."""
    pace, slept = Pace(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)

    def rest() -> float:
        slept.clear()
        asyncio.run(pace.rest(SLICE_S, cast("list[ServedModel]", models)))
        return sum(slept)

    rest()  # the first call has no earlier count to compare with
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
