import numpy as np
import pytest

from training.temperature import fit_temperature, log_loss


def _logits(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are calibrated when divided by ``scale``: classes are drawn from the softmax itself."""
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(20_000, 5)) * 2
    noise = rng.gumbel(size=honest.shape)
    return honest * scale, np.argmax(honest + noise, axis=1)


@pytest.mark.parametrize("scale", [0.5, 1.7, 4.0])
def test_finds_the_temperature_that_made_it_wrong(scale: float) -> None:
    logits, classes = _logits(scale)
    assert fit_temperature(logits, classes) == pytest.approx(scale, rel=0.03)


def test_no_temperature_near_it_is_better() -> None:
    logits, classes = _logits(2.0)
    temperature = fit_temperature(logits, classes)
    best = log_loss(logits / temperature, classes)
    assert best < log_loss(logits / (temperature * 1.01), classes)
    assert best < log_loss(logits / (temperature / 1.01), classes)


def test_is_one_where_everything_is_right_and_colder_is_always_better() -> None:
    classes = np.tile([0, 1, 2, 1], 50)
    assert fit_temperature(np.eye(3)[classes] * 5.0, classes) == 1.0


def test_is_one_where_everything_is_wrong_and_warmer_is_always_better() -> None:
    classes = np.tile([0, 1, 2, 1], 50)
    assert fit_temperature(np.eye(3)[(classes + 1) % 3] * 5.0, classes) == 1.0


@pytest.mark.parametrize(("pictures", "fitted"), [(17, False), (99, False), (100, True)])
def test_is_one_on_fewer_than_a_hundred_pictures(pictures: int, *, fitted: bool) -> None:
    logits, classes = _logits(4.0)
    assert (fit_temperature(logits[:pictures], classes[:pictures]) != 1.0) == fitted


def test_a_few_mistakes_do_not_decide_it() -> None:
    """With 1,500 confident answers and 2 mistakes, a temperature far from 1 has the least loss, but by chance."""
    logits = np.tile([6.5, 0.0, 0.0], (1500, 1))
    classes = np.zeros(1500, int)
    classes[:2] = 1
    assert log_loss(logits / 0.9, classes) < log_loss(logits, classes)
    assert fit_temperature(logits, classes) == 1.0


def test_many_mistakes_of_the_same_share_decide_it() -> None:
    logits = np.tile([6.5, 0.0, 0.0], (60_000, 1))
    classes = np.zeros(60_000, int)
    classes[:80] = 1
    assert fit_temperature(logits, classes) == pytest.approx(6.5 / np.log((60_000 - 80) / 40), rel=0.01)


def test_is_one_where_nothing_is_better() -> None:
    assert fit_temperature(np.zeros((200, 3)), np.zeros(200, int)) == 1.0
