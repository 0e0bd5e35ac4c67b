"""Occlusion maps are faithful: they depend on the weights, and the marked pixels matter to the network."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from bench.deletion import WAYS, Explained
from service.explaining.occlusion import PATCHES, Occlusion
from tests.explaining.networks import run
from tests.fixtures.pictures import first_test_images
from tests.process import ROOT

FILES = {
    "cifar10": "models/cifar10/2/model.onnx",
    "cifar10 of two views": "models/cifar10/3/model.onnx",
    "mnist": "models/mnist/2/model.onnx",
}
IMAGES = {"cifar10": 40, "cifar10 of two views": 8, "mnist": 40}  # one map of the second takes 0.4 s


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
        hidden = Occlusion(image, on_black=self.on_black)
        return hidden.to_map(before, self.run(hidden.images(0, PATCHES))[:, column])


def images_of(name: str) -> NDArray[np.uint8]:
    return first_test_images(name.split(maxsplit=1)[0])[: IMAGES[name]]


@pytest.mark.parametrize("name", FILES)
def test_what_it_points_at_matters_more_than_chance(name: str) -> None:
    """The deletion test with ROAD. `python -m bench.explaining` has 1,000 images, and also fills with a colour."""
    network = Explained(ROOT / FILES[name])
    found = [network.falls(image, seed) for seed, image in enumerate(images_of(name))]
    falls = {way: np.mean([one["occlusion", way, "ROAD"] for one in found]) for way in WAYS}
    assert falls["most important"] > 3 * max(falls["same shape elsewhere"], falls["random"])


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
def test_the_map_changes_with_the_last_layer_s_weights(name: str) -> None:
    """Sanity check of Adebayo et al. (arXiv 1810.03292)."""
    network, shuffled = Network(name), Network(name, shuffled=True)
    correlations = []
    for image in images_of(name)[:20]:
        column = int(network.run(image[np.newaxis])[0].argmax())
        maps = [one.map(image, column).ravel() for one in (network, shuffled)]
        correlations.append(float(np.corrcoef(maps[0], maps[1])[0, 1]))
    assert abs(np.mean(correlations)) < 0.4  # equal maps have 1


def test_every_pixel_is_hidden_and_only_by_patches_around_it() -> None:
    image = np.full((28, 28, 1), 200, np.uint8)
    hiding = Occlusion(image, on_black=True)
    hidden = hiding.images(0, PATCHES)[..., 0] == 0
    assert hidden.any(axis=0).all()
    assert hidden.sum(axis=(1, 2)).max() <= 36
    parts = [hiding.images(start, start + 16) for start in range(0, 64, 16)]
    assert np.array_equal(np.concatenate(parts)[..., 0] == 0, hidden)
    after = np.full(64, 0.5, np.float32)
    after[9] = 0.1
    assert np.array_equal(hiding.to_map(0.5, after) > 0, hidden[9])


def test_tiny_pictures_have_maps_too() -> None:
    hiding = Occlusion(np.zeros((1, 3, 3), np.uint8), on_black=False)
    assert hiding.images(0, 64).shape == (64, 1, 3, 3)
    assert hiding.to_map(0.5, np.full(64, 0.5, np.float32)) == pytest.approx(0)


def test_the_network_of_the_tests_runs() -> None:
    assert run((ROOT / FILES["mnist"]).read_bytes(), np.zeros((1, 28, 28, 1), np.uint8))[0].shape == (1, 10)
