"""Reads ``metadata_props`` of ONNX files: Ultralytics, OpenVINO's model API, and the standard ``Image.*`` entries.

Sources: ultralytics/engine/exporter.py; openvinotoolkit/model_api, onnx_adapter.md; onnx, docs/MetadataProps.md.
"""

import ast
from collections.abc import Mapping
from typing import Any

import onnx

from contract import Fit
from training.errors import ImportRefusedError
from training.importing.labels import Labels
from training.importing.preprocessing import ChannelOrder, Preprocessing
from training.importing.resizing import Resizing
from training.importing.stated import Fact, Stated, unless_refused
from training.importing.terms import Head

_FITS: dict[str, Fit] = {"standard": "stretch", "crop": "cover", "fit_to_window_letterbox": "contain"}
_OPENVINO = "model_info "
_CLASSIFY = "classify"
_CLASSIFICATION = "classification"
_LINEAR = "LINEAR"  # OpenVINO's own filter
_TRUE = ("true", "yes", "1")
_HEAD: Head = "softmax"


def read(model: onnx.ModelProto) -> Stated:
    """Reads the facts in a file's metadata.

    Raises:
        ImportRefusedError: the metadata says that it is no classifier, or has an invalid value.
    """
    props = {entry.key: entry.value for entry in model.metadata_props}
    if "names" in props and "task" in props:
        return _ultralytics(props)
    if any(key.startswith(_OPENVINO) for key in props):
        return _openvino({key.removeprefix(_OPENVINO): value for key, value in props.items()})
    return _standard(props)


def _ultralytics(props: Mapping[str, str]) -> Stated:
    task = props["task"]
    if task != _CLASSIFY:
        raise ImportRefusedError(
            f"metadata task: Ultralytics says {task[:40]!r}; only {_CLASSIFY!r} models can be taken"
        )
    names = _literal(props, "names")
    size = _literal(props, "imgsz") if "imgsz" in props else None
    if not isinstance(names, Mapping):
        raise ImportRefusedError("metadata names: a mapping from index to label is needed")
    is_pair = isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)
    return Stated(
        labels=unless_refused(
            lambda: Labels.from_json({str(key): value for key, value in names.items()}, "metadata names"),
            "metadata `names` (Ultralytics)",
        ),
        preprocessing=Fact(Preprocessing.parse("unit"), "Ultralytics scales to 0..1 and subtracts nothing"),
        resizing=unless_refused(
            lambda: _ultralytics_resizing(size if is_pair else None), "Ultralytics: Resize(imgsz), CenterCrop(imgsz)"
        ),
        size=Fact((size[0], size[1]), "metadata `imgsz` (Ultralytics)") if is_pair and size else None,
        head=Fact(_HEAD, "Ultralytics: the softmax is in the graph"),
    )


def _ultralytics_resizing(size: list[int] | None) -> Resizing:
    """A centre crop for a square input; otherwise a stretch, as ``T.Resize((height, width))`` does."""
    if size is None:
        raise ImportRefusedError("metadata imgsz: Ultralytics does not say the size; say --resize")
    return Resizing("shortest-edge", size[0], exif=True) if size[0] == size[1] else Resizing("stretch", exif=True)


def _openvino(props: Mapping[str, str]) -> Stated:
    kind = props.get("model_type", _CLASSIFICATION)
    if kind.lower() != _CLASSIFICATION:
        raise ImportRefusedError(
            f"metadata `model_info model_type`: OpenVINO says {kind[:40]!r}; only 'Classification' can be taken"
        )
    if props.get("hierarchical", "").lower() in _TRUE:
        raise ImportRefusedError(
            "metadata `model_info hierarchical`: each group of labels has its own softmax or sigmoid, which has no "
            "equal here; export a classifier with one group of labels"
        )
    stated: dict[str, Fact[Any]] = {}
    if "labels" in props:
        stated["labels"] = unless_refused(
            lambda: Labels.from_json(props["labels"].split(), "metadata `model_info labels`"),
            "metadata `model_info labels` (OpenVINO)",
        )
    if props.keys() & {"mean_values", "scale_values", "reverse_input_channels"}:
        stated["preprocessing"] = unless_refused(
            lambda: _openvino_pixels(props), "metadata `model_info mean_values, scale_values` (OpenVINO)"
        )
    if "resize_type" in props:
        stated["resizing"] = unless_refused(
            lambda: _openvino_resizing(props), "metadata `model_info resize_type` (OpenVINO)"
        )
    if props.get("multilabel", "").lower() in _TRUE:
        stated["head"] = Fact("multi-label", "metadata `model_info multilabel` (OpenVINO)")
    return Stated(**stated)


def _openvino_pixels(props: Mapping[str, str]) -> Preprocessing:
    mean = _numbers(props.get("mean_values", "0"), "mean_values")
    std = _numbers(props.get("scale_values", "1"), "scale_values")
    is_reversed = props.get("reverse_input_channels", "").lower() in _TRUE
    order: ChannelOrder = "RGB" if is_reversed else "BGR"  # OpenVINO reads pictures as BGR
    return Preprocessing.on_unit_range(mean, std, order=order, name="OpenVINO", white=1.0)


def _openvino_resizing(props: Mapping[str, str]) -> Resizing:
    fit = _FITS.get(props["resize_type"])
    if fit is None:
        raise ImportRefusedError(
            f"metadata `model_info resize_type`: {props['resize_type'][:40]!r} is none of {', '.join(_FITS)}; say "
            "--resize"
        )
    if fit == "contain" and any(_numbers(props.get("pad_value", "0"), "pad_value")):
        raise ImportRefusedError(
            f"metadata `model_info pad_value`: it is {props['pad_value'][:40]}, and only black, 0, can be added here; "
            "say another --resize"
        )
    if (filter_name := props.get("interpolation_type", _LINEAR)).upper() != _LINEAR:
        raise ImportRefusedError(
            f"metadata `model_info interpolation_type`: {filter_name[:40]!r} is not {_LINEAR}; say --resize, with "
            "--interpolation and --no-antialias"
        )
    return Resizing(fit, antialias=False)


def _standard(props: Mapping[str, str]) -> Stated:
    """The two entries that ONNX itself defines: the order of channels, and the range of pixel values."""
    ranges = {"NominalRange_0_255": "raw", "Normalized_0_1": "unit", "Normalized_1_1": "signed"}
    said = props.get("Image.NominalPixelRange")
    order: Fact[ChannelOrder] | None = None
    if props.get("Image.BitmapPixelFormat", "").startswith("Bgr"):
        order = Fact("BGR", "metadata `Image.BitmapPixelFormat`")
    if said is None:
        return Stated(order=order)
    if said not in ranges:
        raise ImportRefusedError(f"metadata Image.NominalPixelRange: {said[:40]!r} is none of {', '.join(ranges)}")
    pixels = Preprocessing.parse(ranges[said])
    if order is not None:
        pixels = Preprocessing(pixels.mean, pixels.std, "BGR", f"{pixels.name}, BGR")
    return Stated(preprocessing=Fact(pixels, "metadata `Image.NominalPixelRange`"), order=order)


def _literal(props: Mapping[str, str], key: str) -> Any:
    """A value that was written by ``str()``: read as a literal, never evaluated."""
    try:
        return ast.literal_eval(props[key])
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ImportRefusedError(f"metadata {key}: it is not a Python literal") from None


def _numbers(text: str, key: str) -> list[float]:
    try:
        return [float(word) for word in text.replace(",", " ").replace("[", " ").replace("]", " ").split()] or [0.0]
    except ValueError:
        raise ImportRefusedError(f"metadata `model_info {key}`: {text[:60]!r} is not numbers") from None
