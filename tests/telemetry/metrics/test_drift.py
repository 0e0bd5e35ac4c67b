import numpy as np
import pytest

from service.telemetry.metrics.drift import ENOUGH_IMAGES, HALF_LIFE_IMAGES, Drift

REFERENCE = (0.5, 0.3, 0.2)


def counts(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_traffic_like_the_test_set_does_not_drift() -> None:
    drift = Drift(REFERENCE)
    drift.add(counts(5000, 3000, 2000))
    assert drift.index() == pytest.approx(0, abs=1e-12)


def test_the_index_is_that_of_its_definition() -> None:
    drift = Drift(REFERENCE)
    drift.add(counts(2000, 3000, 5000))
    # (0.2 - 0.5) ln(0.2 / 0.5) + (0.5 - 0.2) ln(0.5 / 0.2), by hand
    assert drift.index() == pytest.approx(0.6 * np.log(2.5))


def test_too_few_images_tell_nothing() -> None:
    drift = Drift(REFERENCE)
    drift.add(counts(ENOUGH_IMAGES - 1, 0, 0))
    assert drift.index() is None
    drift.add(counts(1, 0, 0))
    assert drift.index() is not None


def test_a_class_that_never_comes_keeps_the_index_finite() -> None:
    drift = Drift((1.0, 0.0))
    drift.add(counts(0, ENOUGH_IMAGES))
    index = drift.index()
    assert index is not None
    assert 1 < index < 100


def test_what_is_long_past_is_forgotten() -> None:
    drift = Drift(REFERENCE)
    drift.add(counts(0, 0, 10_000))
    for _ in range(12 * HALF_LIFE_IMAGES // 1000):
        drift.add(counts(500, 300, 200))
    index = drift.index()
    assert index is not None
    assert index < 0.01
