import numpy as np
import pytest

from training import scores

PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], np.float32)
CLASSES = np.array([0, 1, 1, 1])


def test_scores_by_hand() -> None:
    evaluation = scores.evaluate(PROBABILITIES, CLASSES)
    assert evaluation.images == 4
    assert evaluation.accuracy == 0.75
    assert evaluation.log_loss == pytest.approx(-np.log([0.9, 0.2, 0.7, 0.6]).mean(), rel=1e-6)
    assert evaluation.brier_score == pytest.approx(2 * np.mean([0.1**2, 0.8**2, 0.3**2, 0.4**2]), rel=1e-6)
    # Four predictions in four bins: |1 - 0.9|, |0 - 0.8|, |1 - 0.7|, |1 - 0.6|, a quarter each.
    assert evaluation.expected_calibration_error == pytest.approx((0.1 + 0.8 + 0.3 + 0.4) / 4, rel=1e-6)


def test_a_bin_weighs_what_it_holds() -> None:
    sure = np.tile(np.array([[0.95, 0.05]], np.float32), (10, 1))
    classes = np.array([0] * 8 + [1] * 2)
    bins = scores.reliability_bins(sure, classes)
    assert bins.counts.tolist() == [0] * 14 + [10]
    assert bins.expected_calibration_error == pytest.approx(0.15, rel=1e-5)


def test_a_probability_a_little_above_one_has_a_bin() -> None:
    over = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0]], np.float32)
    assert scores.reliability_bins(over, np.array([0])).counts[-1] == 1


def test_confusion_precision_and_recall_by_hand() -> None:
    confusion = scores.confusion_matrix(PROBABILITIES, CLASSES)
    assert confusion.tolist() == [[1, 0], [1, 2]]
    precision, recall = scores.precision_recall(confusion)
    assert precision.tolist() == [0.5, 1.0]
    assert recall.tolist() == [1.0, pytest.approx(2 / 3)]


def test_a_class_that_is_never_predicted_has_precision_zero() -> None:
    precision, recall = scores.precision_recall(np.array([[5, 0], [3, 0]]))
    assert (precision[1], recall[1]) == (0, 0)


def test_precision_and_recall_of_a_class_without_pictures_are_not_measured() -> None:
    precision, recall = scores.precision_recall(np.array([[5, 1], [0, 0]]))
    assert np.isnan([precision[1], recall[1]]).all()
    assert (precision[0], recall[0]) == (1, pytest.approx(5 / 6))


def test_reference_shares() -> None:
    reference = scores.reference(PROBABILITIES)
    assert reference.predicted_classes == (0.5, 0.5)
    assert reference.confidences == (0, 0, 0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25)
