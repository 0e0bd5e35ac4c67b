"""Facts that other exporters write beside a model are read with their right meaning."""

import json
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from bench.foreign_networks import CLASSES, write_network
from tests.training.importing.onnx_files import metadata_of
from training.cli import main
from training.errors import ImportRefusedError
from training.importing.preprocessing import Preprocessing
from training.importing.resizing import Resizing
from training.importing.sidecars import huggingface, timm
from training.importing.stated import Stated

_ID2LABEL = {str(index): f"leaf {index}" for index in range(CLASSES)}
_IDS = ("n02012849", "n03126707")
_VIT = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 16, "width": 16},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.25, 0.5],
}


def write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document))


def read_all(stated: Stated) -> tuple[Preprocessing, Resizing, tuple[int, int]]:
    """The stated facts about pictures; raises the error if they are refused."""
    assert stated.preprocessing is not None
    assert stated.resizing is not None
    pixels, resizing = stated.preprocessing.value, stated.resizing.value
    assert stated.size is not None
    return pixels, resizing, stated.size.value


def write_hugging_face_folder(folder: Path) -> None:
    """Writes a small network in a folder like those of the Hugging Face Hub."""
    folder.mkdir()
    write_network(folder / "model.onnx")
    write_json(
        folder / "config.json",
        {"model_type": "vit", "architectures": ["ViTForImageClassification"], "id2label": _ID2LABEL},
    )
    write_json(folder / "preprocessor_config.json", _VIT)


def test_a_hugging_face_folder_says_everything(tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    write_hugging_face_folder(folder)
    said = metadata_of(tmp_path, folder)
    assert said.labels == tuple(_ID2LABEL.values())
    assert (said.fit, said.interpolation, said.exif, said.antialias) == ("stretch", "bilinear", True, True)
    assert "preprocessor_config.json" in (said.preprocessing_proof or "")


@pytest.mark.parametrize(
    ("processor", "wanted"),
    [
        (_VIT, ("stretch", None, (16, 16), "bilinear")),
        (_VIT | {"size": 32}, ("stretch", None, (32, 32), "bilinear")),
        (
            {
                "image_processor_type": "CLIPImageProcessor",
                "size": {"shortest_edge": 256},
                "crop_size": {"height": 224, "width": 224},
                "resample": 3,
            },
            ("shortest-edge", 256, (224, 224), "bicubic"),
        ),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}, "crop_pct": 0.875},
            ("shortest-edge", 256, (224, 224), "bicubic"),
        ),
        (
            {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 384, "crop_pct": 0.875, "resample": 1},
            ("stretch", None, (384, 384), "lanczos"),
        ),
        (_VIT | {"resample": 5}, ("stretch", None, (16, 16), "hamming")),
    ],
    ids=["ViT", "a bare number", "shortest edge and crop", "ConvNeXt below 384", "ConvNeXt from 384", "hamming"],
)
def test_how_transformers_resizes(
    processor: dict[str, Any], wanted: tuple[str, int | None, tuple[int, int], str], tmp_path: Path
) -> None:
    write_json(tmp_path / "config.json", {"model_type": "any", "id2label": _ID2LABEL})
    write_json(tmp_path / "preprocessor_config.json", processor)
    stated = huggingface.read(tmp_path)
    assert stated is not None
    assert stated.resizing is not None
    assert stated.size is not None
    rule = stated.resizing.value
    assert (rule.fit, rule.edge, stated.size.value, rule.interpolation) == wanted
    assert rule.crop_rounding == "floor"


@pytest.mark.parametrize(
    ("processor", "said"),
    [
        ({"image_processor_type": "UnheardOf", "size": 224}, "is not known"),
        ({"image_processor_type": "CLIPImageProcessor", "do_center_crop": False}, "many sizes"),
        ({"image_processor_type": "CLIPImageProcessor", "do_center_crop": None}, "many sizes"),
        ({"image_processor_type": "ConvNextImageProcessor", "do_center_crop": True, "crop_size": 192}, "some versions"),
        (_VIT | {"do_resize": None}, "do_resize is false"),
        (_VIT | {"resample": 9}, "none of Pillow's filters"),
        (_VIT | {"image_std": [0, 0, 0]}, "cannot be divided by"),
        (_VIT | {"image_mean": "grey"}, "is not numbers"),
    ],
)
def test_what_transformers_says_and_has_no_equal_is_refused(
    processor: dict[str, Any], said: str, tmp_path: Path
) -> None:
    write_json(tmp_path / "config.json", {"model_type": "any"})
    write_json(tmp_path / "preprocessor_config.json", processor)
    stated = huggingface.read(tmp_path)
    assert stated is not None
    with pytest.raises(ImportRefusedError, match=said):
        read_all(stated)


def test_label_0_is_no_label(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"model_type": "vit", "id2label": {"0": "LABEL_0", "1": "LABEL_1"}})
    stated = huggingface.read(tmp_path)
    assert stated is not None
    assert stated.labels is None


def test_a_timm_folder_says_everything(tmp_path: Path) -> None:
    folder = tmp_path / "timm"
    folder.mkdir()
    write_network(folder / "model.onnx")
    pretrained = {"input_size": [3, 16, 16], "crop_pct": 0.9, "interpolation": "bicubic", "crop_mode": "center"}
    pretrained |= {"mean": [0.4, 0.4, 0.4], "std": [0.2, 0.2, 0.2]}
    names = [f"n0000000{index}" for index in range(CLASSES)]
    described = {name: f"kind {index}" for index, name in enumerate(names)}
    document = {"architecture": "resnet18", "num_classes": CLASSES, "pretrained_cfg": pretrained}
    write_json(folder / "config.json", document | {"label_names": names, "label_descriptions": described})
    said = metadata_of(tmp_path, folder)
    assert (said.labels[1], (said.class_ids or ())[1]) == ("kind 1", "n00000001")
    assert (said.fit, said.interpolation, said.crop_rounding) == ("shortest-edge", "bicubic", "round")
    assert round(16 / said.crop_fraction) == 17  # floor(16 / 0.9)


@pytest.mark.parametrize(("last", "said"), [("Sigmoid", "--head multi-label"), ("Tanh", "such as tanh")])
@pytest.mark.parametrize("kind", ["timm", "hf"])
def test_a_folder_does_not_say_how_a_graph_ends(
    kind: str, last: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / kind
    if kind == "hf":
        write_hugging_face_folder(folder)
    else:
        folder.mkdir()
        names = list(_ID2LABEL.values())
        pretrained = {"input_size": [3, 16, 16], "crop_pct": 0.9}
        document = {"architecture": "resnet18", "label_names": names, "pretrained_cfg": pretrained}
        write_json(folder / "config.json", document)
    tail = [helper.make_node("Identity", ["logits"], ["values"]), helper.make_node(last, ["values"], ["p"])]
    write_network(folder / "model.onnx", tail=tail, answers=(TensorProto.FLOAT, ["N", CLASSES]))
    assert main(["import", str(folder), "--name", "x", "--output", "p", "--out", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_graph_of_another_size_than_its_folder_says_names_the_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_hugging_face_folder(tmp_path / "hf")
    write_network(tmp_path / "hf" / "model.onnx", sides=(24, 24))
    assert main(["import", str(tmp_path / "hf"), "--name", "x", "--out", str(tmp_path)]) == 2
    assert "say --size 24x24" in capsys.readouterr().err


def test_a_timm_rule_without_an_equal_is_refused(tmp_path: Path) -> None:
    pretrained = {"input_size": [3, 224, 224], "crop_mode": "border", "crop_pct": 0.9}
    write_json(tmp_path / "config.json", {"architecture": "resnet18", "pretrained_cfg": pretrained})
    stated = timm.read(tmp_path)
    assert stated is not None
    with pytest.raises(ImportRefusedError, match="crop_mode 'border'"):
        read_all(stated)


@pytest.mark.parametrize(("name", "is_known"), [("hamming", True), ("random", False)])
def test_filters_of_timm(name: str, is_known: bool, tmp_path: Path) -> None:
    pretrained = {"input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": name}
    write_json(tmp_path / "config.json", {"architecture": "resnet18", "pretrained_cfg": pretrained})
    stated = timm.read(tmp_path)
    assert stated is not None
    assert stated.resizing is not None
    if is_known:
        assert stated.resizing.value.interpolation == name
    else:
        with pytest.raises(ImportRefusedError, match="say --resize and --interpolation"):
            read_all(stated)


def test_what_has_no_equal_is_said_by_flags(tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    folder.mkdir()
    write_network(folder / "model.onnx")
    write_json(folder / "config.json", {"model_type": "vit", "id2label": _ID2LABEL})
    write_json(folder / "preprocessor_config.json", {"image_processor_type": "MyImageProcessor"})
    assert main(["import", str(folder), "--name", "beans", "--out", str(tmp_path / "models")]) == 2
    said = metadata_of(tmp_path, folder, "--preprocessing", "unit", "--resize", "cover")
    assert said.fit == "cover"


@pytest.mark.parametrize(
    ("kind", "values", "pixel_rule", "fitted"),
    [
        ("Levit", {"size": {"shortest_edge": 224}}, (0.485, 0.229, "RGB"), ("shortest-edge", 256, (224, 224))),
        ("PoolFormer", {"size": {"shortest_edge": 224}}, (0.485, 0.229, "RGB"), ("shortest-edge", 248, (224, 224))),
        ("MobileViT", {"size": {"shortest_edge": 288}}, (0, 1, "BGR"), ("shortest-edge", 288, (256, 256))),
        ("EfficientNet", {"size": {"height": 224, "width": 224}}, (0.5, 0.25, "RGB"), ("stretch", None, (224, 224))),
        ("DeiT", {"size": 256}, (0.5, 0.5, "RGB"), ("stretch", 256, (224, 224))),
        ("EfficientNet", {"do_center_crop": True}, (0.5, 0.25, "RGB"), ("stretch", 346, (289, 289))),
        ("ViT", {"do_normalize": False}, (0, 1, "RGB"), ("stretch", None, (224, 224))),
        ("ViT", {"do_normalize": None}, (0, 1, "RGB"), ("stretch", None, (224, 224))),
        ("ViT", {"do_rescale": None}, (0.5 / 255, 0.5 / 255, "RGB"), ("stretch", None, (224, 224))),
        (
            "ViT",
            {"image_mean": None, "image_std": None, "size": None, "rescale_factor": None, "resample": None},
            (0.5, 0.5, "RGB"),
            ("stretch", None, (224, 224)),
        ),
        ("ConvNext", {"crop_pct": None, "size": 224}, (0.5, 0.5, "RGB"), ("shortest-edge", 256, (224, 224))),
    ],
)
def test_what_a_processor_does_by_its_class(
    kind: str, values: dict[str, Any], pixel_rule: tuple[float, float, str], fitted: tuple[Any, ...], tmp_path: Path
) -> None:
    mean, std, order = pixel_rule
    write_json(tmp_path / "config.json", {"model_type": "any", "id2label": _ID2LABEL})
    write_json(tmp_path / "preprocessor_config.json", {"image_processor_type": f"{kind}ImageProcessorFast", **values})
    stated = huggingface.read(tmp_path)
    assert stated is not None
    pixels, resizing, size = read_all(stated)
    assert (pixels.mean[0], pixels.std[0], pixels.order) == pytest.approx((mean * 255, std * 255, order))
    assert (resizing.fit, resizing.edge, size) == fitted


def test_a_processor_without_a_name_is_that_of_its_model(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"model_type": "levit", "label2id": {"b": 1, "a": 0}})
    write_json(tmp_path / "preprocessor_config.json", {"size": 224})
    stated = huggingface.read(tmp_path)
    assert stated is not None
    assert stated.labels is not None
    assert stated.labels.value.names == ("a", "b")
    assert read_all(stated)[1].edge == 256


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_json(tmp_path / "config.json", {"model_type": "vit"})
    (tmp_path / "in" / "config.json").symlink_to(tmp_path / "config.json")
    with pytest.raises(ImportRefusedError, match="leads out of its folder"):
        huggingface.read(tmp_path / "in")
