import pytest

from contract import Evaluation


def _score(images: int, accuracy: float) -> Evaluation:
    return Evaluation(images, accuracy, log_loss=0.3, brier_score=0.1, expected_calibration_error=0.01)


@pytest.mark.parametrize(
    ("images", "accuracy", "interval"),
    [
        # From R: binom::binom.wilson(x, n).
        (10, 0.9, (0.5958, 0.9821)),
        (6, 1.0, (0.6097, 1.0)),
        (6, 0.0, (0.0, 0.3903)),
        (10_000, 0.835, (0.8276, 0.8421)),
    ],
)
def test_the_interval_of_an_accuracy_is_wilsons(images: int, accuracy: float, interval: tuple[float, float]) -> None:
    assert _score(images, accuracy).accuracy_interval == pytest.approx(interval, abs=1e-4)
