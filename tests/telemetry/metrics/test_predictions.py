from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest

from contract import ModelMetadata
from service.inference.runtime import onnxruntime
from service.telemetry.metrics import PROBE, Metrics
from tests.process import ROOT
from tests.telemetry.metrics.page import Page


@pytest.fixture(scope="module")
def metadata() -> ModelMetadata:
    session = onnxruntime.InferenceSession(ROOT / "models" / "cifar10" / "1" / "model.onnx")
    return ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)


class Entry(NamedTuple):
    origin: object = None


class Run(NamedTuple):
    size: int
    parts: Sequence[tuple[Entry, int, int]] = ((Entry(), 0, 1),)


def rows(*labels: int, confidence: float = 0.91) -> np.ndarray:
    """Probabilities float32 [N, 10], each row with one high value."""
    probabilities = np.full((len(labels), 10), (1 - confidence) / 9, np.float32)
    probabilities[range(len(labels)), labels] = confidence
    return probabilities


def page(metrics: Metrics) -> Page:
    metrics.fold()
    return Page(metrics.page().decode())


def test_a_scrape_is_no_prediction_and_hides_none(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    model = metrics.add_model(metadata, "cpu")
    seen = [model.recent]
    model.classified(1, 1e-3, 1e-3)
    seen.append(model.recent)
    metrics.fold()
    assert model.recent == seen[-1]
    model.classified(1, 1e-3, 1e-3)
    seen.append(model.recent)
    assert len({*seen}) == 3


def test_predicted_labels_and_confidence_are_counted(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    model = metrics.add_model(metadata, "cpu")
    model.ran(Run(3), 1e-3, rows(3, 3, 8))
    model.ran(Run(1), 1e-3, rows(0, confidence=0.35))
    shown = page(metrics)
    assert shown.value("convoy_predicted_images_total", label="cat") == 2
    assert shown.value("convoy_predicted_images_total", label="ship") == 1
    assert shown.value("convoy_predicted_images_total") == 4
    assert shown.value("convoy_confidence_bucket", le="0.4") == 1
    assert shown.value("convoy_confidence_bucket", le="0.9") == 1
    assert shown.value("convoy_batch_size_sum") == 4


def test_probabilities_that_are_not_numbers_are_left_out(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    broken = rows(3, 3)
    broken[1] = np.nan
    metrics.add_model(metadata, "cpu").ran(Run(2), 1e-3, broken)
    assert page(metrics).value("convoy_predicted_images_total") == 1


@pytest.mark.parametrize(("labels", "low", "high"), [(range(10), 0.0, 0.05), ([3], 5.0, 10.0)])
def test_drift_shows_once_enough_images_came(
    metadata: ModelMetadata, labels: list[int], low: float, high: float
) -> None:
    metrics = Metrics(version="1")
    model = metrics.add_model(metadata, "cpu")
    model.ran(Run(10), 1e-3, rows(*range(10)))
    assert not [sample for sample in page(metrics).samples if sample.name == "convoy_drift_index"]
    for _ in range(200):
        model.ran(Run(10), 1e-3, rows(*[label for label in labels for _ in range(10 // len(labels))]))
    assert low < page(metrics).value("convoy_drift_index", of="classes") < high


def test_a_model_that_goes_is_shown_as_gone_and_keeps_its_counts(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    model = metrics.add_model(metadata, "cpu")
    model.ran(Run(1), 1e-3, rows(3))
    model.close()
    shown = page(metrics)
    assert shown.value("convoy_model_info") == 0
    assert shown.value("convoy_predicted_images_total") == 1


@pytest.mark.parametrize("before", ["cuda", "cpu"])
def test_a_model_that_is_replaced_is_shown_on_its_new_provider_only(metadata: ModelMetadata, before: str) -> None:
    metrics = Metrics(version="1")
    replaced = metrics.add_model(metadata, before)
    metrics.add_model(metadata, "cpu")
    replaced.close(replaced_on="cpu")
    shown = page(metrics)
    assert shown.value("convoy_model_info", provider="cpu") == 1
    assert shown.value("convoy_model_info") == 1


def test_a_model_that_is_forgotten_has_all_its_counts(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    model = metrics.add_model(metadata, "cpu")
    model.close()
    model.classified(1, 1e-3, 1e-3)
    metrics.forget(model)
    assert not metrics._models
    assert page(metrics).value("convoy_images_total") == 1


def test_a_model_that_is_replaced_leaves_its_successor_to_be_shown(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    replaced, successor = metrics.add_model(metadata, "cpu"), metrics.add_model(metadata, "cpu")
    replaced.close(replaced_on="cpu")
    metrics.forget(replaced)
    successor.classified(1, 1e-3, 1e-3)
    assert page(metrics).value("convoy_images_total") == 1


@pytest.mark.parametrize("replaced_on", [None, "cpu"])
def test_the_drift_of_a_model_ends_with_it(metadata: ModelMetadata, replaced_on: str | None) -> None:
    metrics = Metrics(version="1")
    model = metrics.add_model(metadata, "cpu")
    model.ran(Run(2000), 1e-3, rows(*[3] * 2000))
    assert page(metrics).value("convoy_drift_index", of="classes") > 1
    model.close(replaced_on=replaced_on)
    assert page(metrics).value("convoy_drift_index") == 0


def test_the_drift_of_a_model_stays_when_the_one_that_it_replaced_ends(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    replaced, successor = metrics.add_model(metadata, "cpu"), metrics.add_model(metadata, "cpu")
    for model in (replaced, successor):
        model.ran(Run(2000), 1e-3, rows(*[3] * 2000))
        model.fold()
    replaced.close(replaced_on="cpu")
    metrics.forget(replaced)
    assert page(metrics).value("convoy_drift_index", of="classes") > 1


def test_answers_that_are_counted_after_a_model_has_ended_show_no_drift(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    model = metrics.add_model(metadata, "cpu")
    model.ran(Run(2000), 1e-3, rows(*[3] * 2000))
    model.close()
    model.ran(Run(1), 1e-3, rows(3))
    metrics.forget(model)
    assert page(metrics).value("convoy_drift_index", of="classes") == 0


def test_a_failed_run_is_counted_as_such_only(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    metrics.add_model(metadata, "cpu").ran(Run(4), 1e-3, None)
    shown = page(metrics)
    assert shown.value("convoy_failed_runs_total") == 1
    assert shown.value("convoy_batch_size_count") == 0


def shared_run(*origins: object) -> Run:
    """A run of one image of each origin."""
    return Run(len(origins), [(Entry(origin), at, at + 1) for at, origin in enumerate(origins)])


@pytest.mark.parametrize(
    ("run", "answers", "seconds"),
    [
        (shared_run(None, None, None), rows(1, 2, 3), 0.75),
        (shared_run(None, None, None), rows(1, 2), 0.5),  # the third was not finite
        (shared_run(None, None), rows(), 0.0),
        (Run(5, [(Entry(), 0, 3), (Entry(), 0, 2)]), rows(1, 2, 3, 4, 5), 0.5),
    ],
)
def test_the_time_of_a_run_counts_for_each_answered_request(
    metadata: ModelMetadata, run: Run, answers: np.ndarray, seconds: float
) -> None:
    metrics = Metrics(version="1")
    metrics.add_model(metadata, "cpu").ran(run, 0.25, answers)
    shown = page(metrics)
    assert shown.value("convoy_request_inference_seconds_total") == pytest.approx(seconds)
    assert shown.value("convoy_inference_seconds_sum") == 0.25


def test_the_pictures_of_an_explanation_are_no_request(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    model = metrics.add_model(metadata, "cpu")
    model.probes = 1
    model.ran(shared_run(None, PROBE), 0.25, rows(1, 2))
    assert page(metrics).value("convoy_request_inference_seconds_total") == 0.25


def test_a_request_that_found_no_room_has_failed_too(metadata: ModelMetadata) -> None:
    metrics = Metrics(version="1")
    metrics.add_model(metadata, "cpu").rejected()
    shown = page(metrics)
    assert shown.value("convoy_rejected_requests_total") == shown.value("convoy_failed_requests_total") == 1
