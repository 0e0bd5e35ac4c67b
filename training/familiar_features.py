"""Adds a third output to the graph, ``familiarity``: how similar a picture is to the training pictures.

::

    features ─> mean over the places ─> length 1 ─> cosine to the nearest of ten centres of each class ─┐
    probabilities ─> negative entropy, in nats ─────────────────────────────────────────────────────────┴─> sum

The centres replace the nearest neighbours among all training pictures (KNN, arXiv 2204.06507), at a small part of the
cost. They are found by k-means of directions (spherical k-means, Dhillon and Modha, 2001). Both terms of the sum have
the same standard deviation on held-out pictures. ``python -m bench.trust.scores`` compares this with other scores.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from contract import FAMILIARITY_NAME, FEATURES_NAME, OUTPUT_NAME
from training.data.dataset import LabelledImages
from training.held_out import LEAST_FAMILIAR, negative_entropy
from training.onnx_classifier import OnnxClassifier
from training.scores import Classes, Rows

CENTRES: Final = 10
"""Centres of each class; 10 were as good as 50, and better than 100 (CIFAR-10 and MNIST, version 2)."""

_MOST_PICTURES: Final = 20_000
_LEAST_OF_CLASS: Final = 2 * CENTRES
_STEPS: Final = 10
_LEAST: Final = np.float32(1e-30)


def with_familiarity(
    graph: onnx.ModelProto, classifier: OnnxClassifier, learnt: LabelledImages, held_out: LabelledImages
) -> onnx.ModelProto:
    """Adds the output where there are enough pictures.

    Args:
        graph: with the outputs ``probabilities`` and ``features``; not changed.
        classifier: runs the same graph.
        learnt: the pictures that the network learnt from.
        held_out: pictures that it did not learn from.

    Returns:
        The graph with the output; the graph as it was where a class has fewer than 20 pictures, or fewer than 100 were
        held out.
    """
    some = learnt.take(np.random.default_rng(0).permutation(len(learnt))[:_MOST_PICTURES])
    counts = np.bincount(some.classes, minlength=1)
    if counts.min() < _LEAST_OF_CLASS or len(held_out) < LEAST_FAMILIAR:
        return graph
    _, rows = _pooled(classifier, some.pixels)
    centres = find_centres(rows, some.classes)
    probabilities, rows = _pooled(classifier, held_out.pixels)
    spread = negative_entropy(probabilities).std() / max(float((rows @ centres.T).max(axis=1).std()), 1e-6)
    return _added(graph, (centres * max(float(spread), 1e-6)).astype(np.float32))


def find_centres(rows: Rows, classes: Classes) -> Rows:
    """Finds ten centres of each class by spherical k-means.

    Args:
        rows: float64 [N, D], each of length 1.
        classes: [N].

    Returns:
        float64 [10 K, D], each of length 1.
    """
    return np.concatenate([_centres_of(rows[classes == index]) for index in np.unique(classes)])


def _centres_of(rows: Rows) -> Rows:
    centres = rows[np.random.default_rng(0).permutation(len(rows))[:CENTRES]]
    for _ in range(_STEPS):
        nearest = (rows @ centres.T).argmax(axis=1)
        parts = [rows[nearest == index] for index in range(CENTRES)]
        # A centre that no picture is nearest to stays where it is.
        centres = directions_of(
            np.stack([part.sum(axis=0) if len(part) else old for part, old in zip(parts, centres, strict=True)])
        )
    return centres


def _pooled(classifier: OnnxClassifier, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Rows]:
    """Probabilities [N, K], and the mean features of each picture as a direction, [N, C]."""
    probabilities, features = classifier.outputs(
        (OUTPUT_NAME, FEATURES_NAME),
        pixels,
        lambda name, values: values.mean((2, 3)) if name == FEATURES_NAME else values,
    )
    return probabilities, directions_of(features.astype(np.float64))


def directions_of(rows: Rows) -> Rows:
    """The rows, scaled to length 1; a row of zeros stays zero."""
    unit: Rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _LEAST)
    return unit


def _added(graph: onnx.ModelProto, centres: NDArray[np.float32]) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(graph)

    def named(part: str) -> str:
        return f"{FAMILIARITY_NAME}_{part}"

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        model.graph.node.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))

    constants = {
        "centres": np.ascontiguousarray(centres.T),
        "places": np.array([2, 3], np.int64),
        "rows": np.array([1], np.int64),
        "least": _LEAST,
    }
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), named(name)))
    node("ReduceMean", (FEATURES_NAME, named("places")), named("pooled"), keepdims=0)
    node("ReduceL2", (named("pooled"), named("rows")), named("length"), keepdims=1)
    node("Max", (named("length"), named("least")), named("divisor"))
    node("Div", (named("pooled"), named("divisor")), named("direction"))
    node("MatMul", (named("direction"), named("centres")), named("cosines"))
    node("ReduceMax", (named("cosines"), named("rows")), named("nearest"), keepdims=0)
    node("Max", (OUTPUT_NAME, named("least")), named("above_zero"))
    node("Log", (named("above_zero"),), named("logarithm"))
    node("Mul", (OUTPUT_NAME, named("logarithm")), named("product"))
    node("ReduceSum", (named("product"), named("rows")), named("entropy"), keepdims=0)
    node("Add", (named("nearest"), named("entropy")), FAMILIARITY_NAME)
    model.graph.output.append(helper.make_tensor_value_info(FAMILIARITY_NAME, TensorProto.FLOAT, ["N"]))
    onnx.checker.check_model(model, full_check=True)
    return model
