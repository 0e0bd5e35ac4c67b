"""Facts that Ultralytics, OpenVINO and Windows ML write into an ONNX file are read with their right meaning."""

from pathlib import Path

import pytest

from bench.foreign_networks import CLASSES, write_labels, write_network
from tests.training.importing.onnx_files import metadata_of
from training.cli import main


def test_ultralytics_stretches_to_sides_that_differ(tmp_path: Path) -> None:
    names = str({index: f"part {index}" for index in range(CLASSES)})
    written = {"task": "classify", "imgsz": "[16, 32]", "names": names}
    path = write_network(tmp_path / "yolo.onnx", head="softmax", metadata=written, sides=(16, 32))
    assert metadata_of(tmp_path, path).fit == "stretch"


def test_ultralytics_writes_it_into_the_file(tmp_path: Path) -> None:
    names = str({index: f"part {index}" for index in range(CLASSES)})
    written = {"task": "classify", "imgsz": "[16, 16]", "names": names, "stride": "1"}
    said = metadata_of(tmp_path, write_network(tmp_path / "yolo.onnx", head="softmax", metadata=written))
    assert said.labels[4] == "part 4"
    assert said.training["stated"]["pixels"]["value"] == "(pixel - 0) / 255"


def test_an_ultralytics_detector_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_network(tmp_path / "yolo.onnx", metadata={"task": "detect", "names": "{0: 'a', 1: 'b'}"})
    assert main(["import", str(path), "--name", "x", "--out", str(tmp_path)]) == 2
    assert "only 'classify' models" in capsys.readouterr().err


def test_openvinos_entries_are_read_and_flags_win(tmp_path: Path) -> None:
    written = {
        "model_info labels": " ".join(f"part{index}" for index in range(CLASSES)),
        "model_info mean_values": "123.7 116.3 103.5",
        "model_info scale_values": "58.4 57.1 57.4",
        "model_info reverse_input_channels": "True",
        "model_info resize_type": "crop",
    }
    path = write_network(tmp_path / "net.onnx", metadata=written)
    said = metadata_of(tmp_path, path, "--resize", "stretch")
    assert said.fit == "stretch"
    assert said.labels[0] == "part0"
    assert "[123.7, 116.3, 103.5]" in said.training["stated"]["pixels"]["value"]


_PARTS = {"model_info labels": " ".join(f"part{index}" for index in range(CLASSES))}
_LETTERBOX = {"model_info resize_type": "fit_to_window_letterbox", "model_info scale_values": "255"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({**_LETTERBOX, "model_info pad_value": "114"}, "pad_value"),
        ({**_LETTERBOX, "model_info interpolation_type": "CUBIC"}, "interpolation_type"),
        ({"model_info hierarchical": "True"}, "hierarchical"),
        ({"model_info model_type": "ssd"}, "only 'Classification'"),
    ],
)
def test_what_openvino_says_and_has_no_equal_is_refused(
    written: dict[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_network(tmp_path / "net.onnx", metadata=_PARTS | written)
    assert main(["import", str(path), "--name", "x", "--out", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_openvinos_own_values_are_taken(tmp_path: Path) -> None:
    written = {"model_info model_type": "Classification", "model_info hierarchical": "False"}
    written |= {"model_info pad_value": "0", "model_info interpolation_type": "LINEAR"}
    path = write_network(tmp_path / "net.onnx", metadata=_PARTS | _LETTERBOX | written)
    assert metadata_of(tmp_path, path).fit == "contain"


@pytest.mark.parametrize("pixel_range", [{}, {"Image.NominalPixelRange": "Normalized_0_1"}], ids=["none", "unit"])
@pytest.mark.parametrize(("rule", "code"), [("unit", 2), ("unit,order=BGR", 0), ("unit,order=RGB", 0)])
def test_an_order_in_the_file_is_not_overlooked(
    rule: str, code: int, pixel_range: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = {"Image.BitmapPixelFormat": "Bgr8", **pixel_range}
    path = write_network(tmp_path / "net.onnx", metadata=written)
    labels = write_labels(tmp_path / "labels.txt")
    words = ["--labels", str(labels), "--preprocessing", rule, "--resize", "stretch", "--out", str(tmp_path / "models")]
    assert main(["import", str(path), "--name", "x", *words]) == code
    assert ("say it, such as" in capsys.readouterr().err) is (code == 2)


def test_metadata_is_read_and_never_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = {"task": "classify", "names": "__import__('os').mkdir('run')"}
    path = write_network(tmp_path / "yolo.onnx", metadata=written)
    assert main(["import", str(path), "--name", "x", "--out", str(tmp_path)]) == 2
    assert "not a Python literal" in capsys.readouterr().err
