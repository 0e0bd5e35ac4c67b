import numpy as np
import pytest

from service.decision import most_probable, rank


@pytest.fixture
def probabilities() -> np.ndarray:
    scores = np.random.default_rng(0).integers(0, 5, (200, 7)).astype(np.float32)
    return scores / 5


def test_a_ranking_begins_with_the_most_probable(probabilities: np.ndarray) -> None:
    np.testing.assert_array_equal(rank(probabilities, 1)[:, 0], most_probable(probabilities))


def test_equal_probabilities_keep_the_order_of_the_labels(probabilities: np.ndarray) -> None:
    for row, ranked in zip(probabilities, rank(probabilities, 7), strict=True):
        assert ranked.tolist() == sorted(range(7), key=lambda column: (-row[column], column))


def test_more_than_there_are_is_all_of_them(probabilities: np.ndarray) -> None:
    assert rank(probabilities, 99).shape == (200, 7)


def test_of_many_labels_the_ranking_is_that_of_all_of_them() -> None:
    rows = np.random.default_rng(1).integers(0, 300, (40, 2000)).astype(np.float32) / 300  # many values are equal
    everything = np.argsort(-rows, axis=1, kind="stable")
    for top_k in (1, 5, 499, 501, 2000):
        np.testing.assert_array_equal(rank(rows, top_k), everything[:, :top_k])
