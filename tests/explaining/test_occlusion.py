"""Occlusion maps deserve belief: they depend on the weights, and what they point at matters to the network."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from service.explaining import occlusion
from tests.explaining.networks import run
from tests.fixtures.pictures import first_test_images
from tests.process import ROOT

FILES = {"cifar10": "models/cifar10/2/model.onnx", "mnist": "models/mnist/2/model.onnx"}
IMAGES = 40


class Network:
    """One model of the repository, in this process."""

    def __init__(self, name: str, *, shuffled: bool = False) -> None:
        model = onnx.load(ROOT / FILES[name])
        if shuffled:
            last = next(node for node in reversed(model.graph.node) if node.op_type == "MatMul").input[1]
            weights = next(one for one in model.graph.initializer if one.name == last)
            values = numpy_helper.to_array(weights)
            mixed = np.random.default_rng(1).permutation(values.ravel()).reshape(values.shape)
            weights.CopyFrom(numpy_helper.from_array(mixed, last))
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.on_black = name == "mnist"

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = self._session.run(["probabilities"], {"image": images})[0]
        return rows

    def map(self, image: NDArray[np.uint8], column: int) -> NDArray[np.float32]:
        before = float(self.run(image[np.newaxis])[0, column])
        after = self.run(occlusion.occluded(image, 0, occlusion.PATCHES, on_black=self.on_black))[:, column]
        return occlusion.to_map(occlusion.falls(before, after), *image.shape[:2])


@pytest.mark.parametrize("name", FILES)
def test_what_it_points_at_matters_more_than_chance(name: str) -> None:
    """The deletion test; over 1,000 images: `python -m bench.explaining`."""
    network, random = Network(name), np.random.default_rng(0)
    falls: dict[str, list[float]] = {"map": [], "chance": []}
    for image in first_test_images(name)[:IMAGES]:
        probabilities = network.run(image[np.newaxis])[0]
        column, pixels = int(probabilities.argmax()), image.shape[0] * image.shape[1]
        ground = 0 if network.on_black else image.mean(axis=(0, 1)).round().astype(np.uint8)
        orders = {"map": np.argsort(-network.map(image, column).ravel()), "chance": random.permutation(pixels)}
        for way, order in orders.items():
            changed = image.reshape(pixels, -1).copy()
            changed[order[: pixels // 10]] = ground
            falls[way].append(probabilities[column] - network.run(changed.reshape(1, *image.shape))[0, column])
    assert np.mean(falls["map"]) > np.mean(falls["chance"]) * (1.1 if name == "cifar10" else 5)


@pytest.mark.parametrize("name", FILES)
def test_the_map_changes_with_the_last_layer_s_weights(name: str) -> None:
    """Sanity check of Adebayo et al. (arXiv 1810.03292)."""
    network, shuffled = Network(name), Network(name, shuffled=True)
    correlations = []
    for image in first_test_images(name)[: IMAGES // 2]:
        column = int(network.run(image[np.newaxis])[0].argmax())
        maps = [one.map(image, column).ravel() for one in (network, shuffled)]
        correlations.append(float(np.corrcoef(maps[0], maps[1])[0, 1]))
    assert abs(np.mean(correlations)) < 0.4  # the same map has 1


def test_every_pixel_is_hidden_and_only_by_patches_around_it() -> None:
    image = np.full((28, 28, 1), 200, np.uint8)
    hidden = occlusion.occluded(image, 0, occlusion.PATCHES, on_black=True)[..., 0] == 0
    assert hidden.any(axis=0).all()
    assert hidden.sum(axis=(1, 2)).max() <= 36
    parts = [occlusion.occluded(image, start, start + 16, on_black=True) for start in range(0, 64, 16)]
    assert np.array_equal(np.concatenate(parts)[..., 0] == 0, hidden)
    values = np.zeros(64, np.float32)
    values[9] = 1
    mapped = occlusion.to_map(values, 28, 28)
    assert (mapped > 0).sum() == hidden[9].sum()


def test_tiny_pictures_have_maps_too() -> None:
    image = np.zeros((1, 3, 3), np.uint8)
    assert occlusion.occluded(image, 0, 64, on_black=False).shape == (64, 1, 3, 3)
    assert occlusion.to_map(np.ones(64, np.float32), 1, 3) == pytest.approx(1)


def test_the_network_of_the_tests_runs() -> None:
    assert run((ROOT / FILES["mnist"]).read_bytes(), np.zeros((1, 28, 28, 1), np.uint8))[0].shape == (1, 10)
