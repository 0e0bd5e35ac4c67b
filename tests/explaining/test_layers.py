"""The reported layers of a network match its computation."""

import os
from pathlib import Path

import numpy as np
import pytest

from network.graph import Graph, Node
from network.layers import _following, look_inside
from service.errors import UnavailableError
from service.explaining import mosaic
from service.inference.inspection import Inspection, ModelSource
from tests.explaining.networks import network, picture, run
from tests.fixtures.pictures import first_test_images
from tests.fixtures.tiny_models import tiny_model
from tests.process import ROOT


def inspect(path: Path, model: bytes) -> Inspection:
    path.write_bytes(model)
    return Inspection(ModelSource.of(path, model))


def test_every_formula_of_the_repository_s_models_gives_the_shape(tmp_path: Path) -> None:
    for name in ("mnist", "cifar10"):
        model = (ROOT / "models" / name / "2" / "model.onnx").read_bytes()
        look = look_inside(inspect(tmp_path / name, model), first_test_images(name)[:1])
        sliding = [layer for layer in look.layers if "pooling" in layer.kind or layer.kind == "convolution"]
        assert len(sliding) == (4 if name == "mnist" else 6)
        for layer in sliding:
            assert layer.formula is not None
            assert layer.formula.endswith(f"= {layer.output[2]}")
        assert [layer.kind for layer in look.layers[-2:]] == ["dense", "dense"]
        assert look.layers[-1].output == (10,)
        assert look.notes == []
    assert sum(layer.parameters for layer in look.layers) == 448 + 4640 + 18496 + 512500 + 5010
    assert look.layers[0].formula == "(32 - 3 + 2 x 1) / 1 + 1 = 32"


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    inspection = inspect(tmp_path / "net", tiny_model())
    (tmp_path / "net").unlink()
    os.mkfifo(tmp_path / "net")
    with pytest.raises(UnavailableError, match="has changed since"):
        inspection.graph()


def test_what_scores_familiarity_is_no_layer(tmp_path: Path) -> None:
    model = (ROOT / "models" / "cifar10" / "3" / "model.onnx").read_bytes()
    layers = look_inside(inspect(tmp_path / "net", model), first_test_images("cifar10")[:1]).layers
    assert [layer.output for layer in layers if layer.kind == "dense"] == [(10,)]


def test_activations_are_those_of_the_network(tmp_path: Path) -> None:
    model, image = network("pooled"), picture(2)[np.newaxis]
    look = look_inside(inspect(tmp_path / "net", model), image)
    assert [layer.kind for layer in look.layers] == ["convolution", "average over all places", "dense"]
    assert look.layers[0].then == ("Relu",)
    assert np.array_equal(look.layers[0].activation, run(model, image)[1][0])
    assert look.layers[0].formula == "(8 - 2 + 2 x 0) / 2 + 1 = 4"
    assert look.kernels is not None
    assert look.kernels.shape == (4, 3, 2, 2)


def test_what_a_graph_does_not_allow_is_said(tmp_path: Path) -> None:
    look = look_inside(inspect(tmp_path / "tiny", tiny_model()), np.zeros((1, 2, 3, 3), np.uint8))
    assert look.kernels is None
    assert "no plain convolution" in look.notes[0]


@pytest.mark.parametrize(("count", "shape"), [(1, (2, 2)), (8, (2, 23)), (9, (5, 23)), (40, (11, 23))])
def test_mosaics_have_eight_in_a_row(count: int, shape: tuple[int, int]) -> None:
    assert mosaic.of_maps(np.zeros((count, 2, 2), np.float32)).shape[:2] == shape
    kernels = mosaic.of_kernels(np.full((count, 1, 2, 2), -1, np.float32))
    assert kernels.shape[:2] == shape
    assert kernels[0, 0, 0] == 0


@pytest.mark.parametrize(
    ("kinds", "name"), [(("Div", "Erf", "Add", "Mul", "Mul"), "Gelu"), (("Sigmoid", "Mul"), "Swish"), (("Neg",), None)]
)
def test_an_activation_of_several_operations_belongs_to_its_layer(kinds: tuple[str, ...], name: str | None) -> None:
    conv = Node("Conv", ("image", "kernel"), ("t0",), {})
    nodes = [conv]
    for place, kind in enumerate(kinds):
        # Unary on what was made, a constant beside it, or the layer's own answer: as exporters write it.
        own = {"Mul": ("t0",), "Div": ("c",), "Add": ("c",)}.get(kind, ())
        own = ("c",) if kind == "Mul" and place == 4 else own
        nodes.append(Node(kind, (f"t{place}", *own), (f"t{place + 1}",), {}))
    last = f"t{len(kinds)}"
    nodes += [Node("Add", (last, "t0"), ("sum",), {})] if name is None else [Node("MaxPool", (last,), ("pool",), {})]
    graph = Graph(tuple(nodes), ("pool",), {"c": np.ones(1), "kernel": np.ones((1, 3, 1, 1))})
    then, tensor = _following(graph, conv)
    assert (then, tensor) == (((name,), last) if name else ((), "t0"))
