"""A model in a Triton repository is imported unchanged: config.pbtxt states the places of the file and the labels."""

from pathlib import Path

import onnxruntime
import pytest

from bench.foreign_networks import write_labels, write_network
from contract import ModelMetadata
from training.cli import main
from training.importing.sidecars.text_format import TextFormatError, parse

RULES = ("--preprocessing", "imagenet", "--resize", "stretch")
CONFIG = """\
# As Triton's documentation writes it.
name: "birds"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [
  {
    name: "x"
    data_type: TYPE_FP32
    format: FORMAT_NCHW
    dims: [ 3, 16, 16 ]
  }
]
output [
  { name: "logits" data_type: TYPE_FP32 dims: [ 5 ] label_filename: "labels.txt" }
]
instance_group [ { count: 2 kind: KIND_CPU } ]
dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }
optimization { execution_accelerators { cpu_execution_accelerator: [ { name: "openvino" } ] } }
parameters { key: "intra_op_thread_count" value: { string_value: "1" } }
version_policy: { latest { num_versions: 1 } }
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder in a repository, with labels and two versions."""
    folder = tmp_path / "repository" / "birds"
    for version in ("9", "10"):
        (folder / version).mkdir(parents=True)
        write_network(folder / version / "model.onnx")
    write_labels(folder / "labels.txt")
    (folder / "config.pbtxt").write_text(CONFIG)
    return folder


def run(source: Path, tmp_path: Path, *words: str) -> int:
    return main(["import", str(source), "--name", "birds", "--out", str(tmp_path / "models"), *RULES, *words])


@pytest.mark.parametrize("place", [".", ".."], ids=["model", "repository"])
def test_what_config_pbtxt_says_need_not_be_said(model: Path, tmp_path: Path, place: str) -> None:
    assert run((model / place).resolve(), tmp_path) == 0
    session = onnxruntime.InferenceSession(tmp_path / "models" / "birds" / "1" / "model.onnx")
    metadata = ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)
    assert list(metadata.class_names) == (model / "labels.txt").read_text().splitlines()
    card = (tmp_path / "models" / "birds" / "1" / "MODEL_CARD.md").read_text()
    assert "birds/config.pbtxt, label_filename" in card


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('platform: "onnxruntime_onnx"', 'backend: "onnxruntime"'),
        ('platform: "onnxruntime_onnx"', ""),
        ('platform: "onnxruntime_onnx"', 'backend: "onnxruntime" default_model_filename: "model.onnx"'),
        ('name: "birds"', "name: 'birds';"),
    ],
)
def test_other_forms_of_the_same(model: Path, tmp_path: Path, old: str, new: str) -> None:
    (model / "config.pbtxt").write_text(CONFIG.replace(old, new))
    assert run(model, tmp_path) == 0


def test_labels_that_it_does_not_name_are_asked_for(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "config.pbtxt").write_text(CONFIG.replace('label_filename: "labels.txt"', ""))
    assert run(model, tmp_path) == 2
    assert "--labels" in capsys.readouterr().err
    assert run(model, tmp_path, "--labels", str(model / "labels.txt")) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("onnxruntime_onnx", "tensorrt_plan"), "import the ONNX file that it was made of"),
        (("onnxruntime_onnx", "pytorch_libtorch"), "torch.onnx.export"),
        (("onnxruntime_onnx", "ensemble"), "import the one that classifies"),
        (('platform: "onnxruntime_onnx"', 'backend: "python"'), "is a program and no network"),
        (('platform: "onnxruntime_onnx"', 'backend: "unknown"'), "is of a kind that cannot be imported"),
        (('name: "birds"', "name: birds ["), "is no configuration of Triton"),
        (('"labels.txt"', '"../../secret.txt"'), "leads out of the model's folder"),
        (('"labels.txt"', '"\\000"'), "leads out of the model's folder"),
        (('"labels.txt"', '"none.txt"'), "none.txt cannot be read"),
        (('name: "birds"', 'default_model_filename: "other.onnx"'), "other.onnx is missing"),
        (('name: "birds"', 'default_model_filename: "../../../x.onnx"'), "leads out of the model's folder"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_the_reason(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], said: str
) -> None:
    old, new = change
    assert CONFIG.count(old) == 1
    write_network(tmp_path / "x.onnx")
    (model / "config.pbtxt").write_text(CONFIG.replace(old, new))
    assert run(model, tmp_path) == 2
    assert said in capsys.readouterr().err


def test_a_repository_of_several_models_asks_for_one(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model.parent / "cats").mkdir()
    (model.parent / "cats" / "config.pbtxt").write_text('platform: "onnxruntime_onnx"')
    assert run(model.parent, tmp_path) == 2
    assert "a repository of several models (birds, cats)" in capsys.readouterr().err
    assert run(model.parent / "cats", tmp_path) == 2
    assert "no folder of a version" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {}),
        ('a: "x" "y" b: 1, c: TYPE_FP32;', {"a": ["xy"], "b": ["1"], "c": ["TYPE_FP32"]}),
        ("a: 1 a: 2 a: [3, -4.5e3]", {"a": ["1", "2", "3", "-4.5e3"]}),
        ("m { a: 1 } m: < b: 'it\\'s' >", {"m": [{"a": ["1"]}, {"b": ["it's"]}]}),
        ("m [ { a: 1 }, { } ] # a comment", {"m": [{"a": ["1"]}, {}]}),
    ],
)
def test_protobuf_s_text_format(text: str, wanted: object) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    "text", ["a", "a 1", "a: ", "a {", "a }", "a: [1 2]", "a: [", 'a: "x', "a: {]", "@", "{}", "a {" * 50, 'a: "\\x"']
)
def test_what_is_not_in_that_format_is_refused(text: str) -> None:
    with pytest.raises(TextFormatError, match="line 1: "):
        parse(text)
