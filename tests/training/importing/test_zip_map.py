"""Graphs that end in ZipMap, such as those of Azure Custom Vision, are imported with the labels that it names."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.foreign_networks import write_labels, write_network
from tests.training.importing.onnx_files import imported, run_import

_NODE = helper.make_node
_RULES = ("--preprocessing", "unit", "--resize", "stretch")


def write_zipped(path: Path, names: list[str] | list[int], *, batch: int | str = "N") -> Path:
    """A network with the outputs of Custom Vision: ``classLabel`` [1] and ``loss``, a sequence of maps."""
    model = onnx.load(write_network(path, head="softmax", batch=batch))
    kind = "strings" if isinstance(names[0], str) else "int64s"
    model.graph.node.extend(
        [
            _NODE("ZipMap", ["softmax"], ["loss"], domain="ai.onnx.ml", **{f"classlabels_{kind}": names}),
            _NODE("ArgMax", ["softmax"], ["best"], axis=1, keepdims=0),
            _NODE("ArrayFeatureExtractor", ["names", "best"], ["classLabel"], domain="ai.onnx.ml"),
        ]
    )
    stored = np.array([str(name).encode() for name in names], object)
    model.graph.initializer.append(numpy_helper.from_array(stored, "names"))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    number = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    key = TensorProto.STRING if kind == "strings" else TensorProto.INT64
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(key, number))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("classLabel", TensorProto.STRING, [1, 1]))
    model.graph.output.append(helper.make_value_info("loss", maps))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("names", [["ant", "bee", "cat", "dog", "elk"], [3, 1, 4, 0, 5]], ids=["text", "numbers"])
def test_its_labels_and_values_are_taken(
    names: list[str] | list[int], batch: int | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_zipped(tmp_path / "net.onnx", names, batch=batch)
    assert run_import(source, tmp_path, *_RULES) == 0
    assert "(ZipMap in the graph)" in capsys.readouterr().out
    session, metadata = imported(tmp_path)
    assert metadata.labels == tuple(map(str, names))
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    plain = onnx.load(write_network(tmp_path / "plain.onnx", head="softmax"))
    plain.ir_version = 10
    original = onnxruntime.InferenceSession(plain.SerializeToString())
    wanted = original.run(None, {"x": (images.transpose(0, 3, 1, 2) / 255).astype(np.float32)})
    np.testing.assert_allclose(session.run(None, {"image": images})[0], wanted[0], atol=1e-5)


def test_labels_of_the_command_have_priority(tmp_path: Path) -> None:
    source = write_zipped(tmp_path / "net.onnx", ["ant", "bee", "cat", "dog", "elk"])
    labels = write_labels(tmp_path / "labels.txt")
    assert run_import(source, tmp_path, *_RULES, "--labels", labels, "--output", "loss") == 0
    assert imported(tmp_path)[1].labels[0] == "kind 0"


def test_names_in_a_file_beside_it_have_priority_over_numbers_of_columns(tmp_path: Path) -> None:
    folder, names = tmp_path / "timm", ["ant", "bee", "cat", "dog", "elk"]
    folder.mkdir()
    write_zipped(folder / "model.onnx", [0, 1, 2, 3, 4])
    config = {
        "architecture": "resnet18",
        "num_classes": 5,
        "label_names": names,
        "pretrained_cfg": {"input_size": [3, 16, 16]},
    }
    (folder / "config.json").write_text(json.dumps(config))
    assert run_import(folder, tmp_path, *_RULES) == 0
    assert imported(tmp_path)[1].labels == tuple(names)


def test_an_output_that_is_no_tensor_is_refused(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tail = [_NODE("SequenceConstruct", ["logits"], ["list"])]
    source = write_network(tmp_path / "net.onnx", tail=tail)
    model = onnx.load(source)
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    model.graph.output[0].CopyFrom(helper.make_value_info("list", kind))
    onnx.save(model, source)
    assert run_import(source, tmp_path, *_RULES, "--labels", labels) == 2
    assert "its output 'list' is a sequence and no tensor" in capsys.readouterr().err
