"""HiResCAM is exact where it is used, and is not used elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from contract import FEATURES_NAME, OUTPUT_NAME
from network.graph import GraphError, read_graph, with_outputs
from service.explaining.hirescam import is_fine, linear_head
from service.inference.inspection import Inspection, ModelSource
from tests.explaining.networks import Head, network, picture, run
from tests.process import ROOT


@pytest.mark.parametrize("head", ["pooled", "largest", "flat"])
def test_the_map_sums_to_the_logit(head: Head) -> None:
    model = network(head)
    found = linear_head(read_graph(model))
    assert found is not None
    probabilities, features = run(model, picture(1)[np.newaxis])
    places = found.contributions(features[0])
    assert places.shape == (3, 4, 4)
    logits = places.sum(axis=(1, 2)) + found.bias
    assert np.log(probabilities[0]) - np.log(probabilities[0][0]) == pytest.approx(logits - logits[0], abs=1e-4)
    assert found.explains(places, probabilities[0])
    assert not found.explains(places[::-1], probabilities[0])


def test_a_coarse_map_is_not_spread_over_pixels() -> None:
    assert is_fine((4, 4, 4))
    assert not is_fine((256, 3, 3))  # cifar10 version 3, for which occlusion is better
    assert not is_fine(None)


def test_a_network_of_another_kind_has_no_such_head() -> None:
    assert linear_head(read_graph(network("hidden"))) is None
    assert linear_head(read_graph((ROOT / "models/mnist/2/model.onnx").read_bytes())) is None


@pytest.mark.parametrize("head", ["pooled", "largest", "flat"])
def test_the_map_changes_with_the_last_layer_s_weights(head: Head) -> None:
    """Sanity check of Adebayo et al. (arXiv 1810.03292)."""
    model = network(head)
    found = linear_head(read_graph(model))
    assert found is not None
    correlations = []
    for seed in range(20):
        _, features = run(model, picture(seed)[np.newaxis])
        shuffled = np.random.default_rng(seed).permutation(found.weights.reshape(-1)).reshape(found.weights.shape)
        other = type(found)(shuffled, found.bias, found.pooling, found.is_sigmoid)
        maps = [one.contributions(features[0])[0].ravel() for one in (found, other)]
        correlations.append(np.corrcoef(*maps)[0, 1])
    assert abs(np.mean(correlations)) < 0.4  # equal maps have 1


def test_tensors_inside_can_be_asked_for(tmp_path: Path) -> None:
    model = network("pooled")
    path = tmp_path / "model.onnx"
    path.write_bytes(model)
    inspection = Inspection(ModelSource.of(path, model))
    image = picture(3)[np.newaxis]
    convolved, features = inspection.run(image, ("convolved", FEATURES_NAME), ("convolved",))
    assert np.array_equal(np.maximum(convolved, 0), features)
    assert np.array_equal(inspection.run(image, (OUTPUT_NAME,))[0], run(model, image)[0])
    with pytest.raises(GraphError):
        inspection.run(image, ("nothing",), ("nothing",))


def test_the_reader_reads_what_onnx_wrote_and_refuses_what_is_no_graph() -> None:
    model = network("pooled")
    graph = read_graph(model)
    assert [node.kind for node in graph.nodes][:3] == ["Cast", "Transpose", "Conv"]
    assert graph.nodes[1].attributes["perm"] == (0, 3, 1, 2)
    assert graph.constants["dense"].shape == (4, 3)
    assert len(read_graph(with_outputs(model, ["convolved"])).nodes) == len(graph.nodes)
    random = np.random.default_rng(0)
    for size in (1, 7, 100, 5000):
        for _ in range(20):
            try:
                read_graph(random.integers(0, 256, size, np.uint8).tobytes())
            except GraphError:
                continue
    for cut in range(0, len(model), 97):
        try:
            read_graph(model[:cut])
        except GraphError:
            continue
