"""The output ``familiarity``: its computation, that it is the same in any batch, and that it can be removed."""

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from contract import FAMILIARITY_NAME, FEATURES_NAME, INPUT_NAME, OUTPUT_NAME, ModelMetadata
from tests.explaining.networks import CLASSES, SIDE, coloured, network
from training.data.dataset import LabelledImages
from training.decisions import decide
from training.familiar_features import CENTRES, find_centres, with_familiarity
from training.held_out import negative_entropy
from training.onnx_classifier import OnnxClassifier
from training.onnx_file import with_metadata, without_familiarity


def pictures(count: int, seed: int) -> LabelledImages:
    return LabelledImages(*coloured(count, seed))


@pytest.fixture(scope="module")
def plain() -> onnx.ModelProto:
    return onnx.load_from_string(network("pooled", seed=3))


@pytest.fixture(scope="module")
def scored(plain: onnx.ModelProto) -> onnx.ModelProto:
    classifier = OnnxClassifier(plain.SerializeToString())
    return with_familiarity(plain, classifier, pictures(300, 1), pictures(150, 2))


def run(model: onnx.ModelProto, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[NDArray[np.float32]] = session.run([OUTPUT_NAME, FEATURES_NAME, FAMILIARITY_NAME], {INPUT_NAME: pixels})
    return found


def test_it_is_the_cosine_to_the_nearest_centre_and_the_entropy_with_equal_spread(scored: onnx.ModelProto) -> None:
    held_out = pictures(150, 2)
    probabilities, features, familiarity = run(scored, held_out.pixels)
    of_entropy = negative_entropy(probabilities)
    of_features = familiarity - of_entropy
    assert of_features.std() == pytest.approx(of_entropy.std(), rel=1e-3)
    rows = features.mean(axis=(2, 3), dtype=np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in scored.graph.initializer}
    centres = weights[f"{FAMILIARITY_NAME}_centres"]
    assert centres.shape == (rows.shape[1], CENTRES * CLASSES)
    assert of_features == pytest.approx((rows @ centres).max(axis=1), abs=1e-3)


def test_what_is_strange_is_less_familiar(scored: onnx.ModelProto) -> None:
    known = run(scored, pictures(200, 5).pixels)[2]
    alone = np.zeros((CLASSES, SIDE, SIDE, 3), np.uint8)
    alone[np.arange(CLASSES), :, :, np.arange(CLASSES)] = 255  # a pure colour
    assert np.median(run(scored, alone)[2]) < known.min()


def test_the_same_picture_has_the_same_score_in_any_batch(scored: onnx.ModelProto) -> None:
    pixels = pictures(64, 7).pixels
    together = run(scored, pixels)[2]
    alone = np.concatenate([run(scored, pixels[place : place + 1])[2] for place in range(0, 64, 9)])
    assert np.abs(together[::9] - alone).max() < 1e-5


def test_a_picture_without_any_feature_has_a_finite_score(scored: onnx.ModelProto) -> None:
    changed = onnx.ModelProto()
    changed.CopyFrom(scored)
    for tensor in changed.graph.initializer:
        if tensor.name == "kernel":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros((4, 3, 2, 2), np.float32), "kernel"))
    assert np.isfinite(run(changed, pictures(3, 8).pixels)[2]).all()


def test_it_can_be_taken_away(plain: onnx.ModelProto, scored: onnx.ModelProto) -> None:
    rest = without_familiarity(scored)
    assert rest.graph.node == plain.graph.node
    assert rest.graph.output == plain.graph.output
    assert {tensor.name for tensor in rest.graph.initializer} <= {tensor.name for tensor in plain.graph.initializer}


@pytest.mark.parametrize(("learnt", "held_out"), [(3 * 2 * CENTRES - 1, 150), (300, 99)])
def test_too_few_pictures_leave_the_graph_as_it_is(plain: onnx.ModelProto, learnt: int, held_out: int) -> None:
    classifier = OnnxClassifier(plain.SerializeToString())
    assert with_familiarity(plain, classifier, pictures(learnt, 1), pictures(held_out, 2)) is plain


def test_its_quantiles_are_those_of_held_out_pictures(scored: onnx.ModelProto) -> None:
    said = OnnxClassifier(scored.SerializeToString()).metadata
    held_out = pictures(150, 2)
    decided = decide(OnnxClassifier(scored.SerializeToString()), said, held_out)
    assert decided.familiarity is not None
    assert decided.familiarity.score == "features"
    assert decided.familiarity.quantiles[50] == pytest.approx(np.median(run(scored, held_out.pixels)[2]))
    written = OnnxClassifier(with_metadata(scored, decided)).metadata
    assert written.familiarity == decided.familiarity
    assert isinstance(dataclasses.replace(written), ModelMetadata)


def test_centres_are_directions_of_their_classes() -> None:
    random = np.random.default_rng(0)
    rows = np.abs(random.normal(0, 0.1, (400, 6))) + np.eye(6)[np.arange(400) % 2]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    centres = find_centres(rows, np.arange(400) % 2)
    assert np.linalg.norm(centres, axis=1) == pytest.approx(np.ones(2 * CENTRES))
    assert (centres[:CENTRES].argmax(axis=1) == 0).all()
    assert (centres[CENTRES:].argmax(axis=1) == 1).all()
