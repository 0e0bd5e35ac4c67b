"""A Hugging Face folder: ``config.json`` with ``id2label``, and ``preprocessor_config.json``.

Source: transformers, image_processing_vit.py, image_processing_convnext.py, image_processing_clip.py and
image_transforms.py. A bare number as ``size`` depends on the class of the processor (transformers#24070).
"""

from pathlib import Path
from typing import Any

from contract import Fit, Interpolation
from training.errors import ImportRefusedError
from training.importing.labels import Labels
from training.importing.preprocessing import Preprocessing
from training.importing.resizing import Resizing
from training.importing.sidecars.json_file import numbers, read_json
from training.importing.stated import Fact, Stated
from training.importing.terms import Head

_RESAMPLE: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}
_SQUARE = ("ViT", "DeiT", "Beit", "Swin", "EfficientNet", "PoolFormer")
_SHORTEST_EDGE = ("CLIP", "ConvNext", "MobileNet", "LeViT", "Bit", "Perceiver")
_IMAGENET_STANDARD = [0.5, 0.5, 0.5]
_CONVNEXT_CROPS_BELOW = 384
_PROCESSOR = "preprocessor_config.json"


def read(folder: Path) -> Stated | None:
    """Reads what the folder says.

    Returns:
        None where it is no folder of a transformers model.

    Raises:
        ImportRefusedError: a file is damaged, the model is no image classifier, or a rule has no equal here.
    """
    config = read_json(folder, "config.json")
    if config is None or not ("model_type" in config or "architectures" in config):
        return None
    origin = f"{folder.resolve().name}/config.json"
    architectures = [str(name) for name in config.get("architectures") or []]
    if architectures and not any("ImageClassification" in name for name in architectures):
        raise ImportRefusedError(f"{origin}: {architectures[0]} is no image classifier")
    processor = read_json(folder, _PROCESSOR)
    labels = _labels(config, origin)
    head: Head = "multi-label" if config.get("problem_type") == "multi_label_classification" else "logits"
    stated = Stated(
        labels=labels,
        head=Fact(head, f"{origin}: transformers answers logits"),
        output=Fact("logits", origin),
    )
    if processor is None:
        return stated
    where = f"{folder.resolve().name}/{_PROCESSOR}"
    resizing, size = _resizing(processor, where)
    return Stated(
        labels=labels,
        head=stated.head,
        output=stated.output,
        preprocessing=Fact(_preprocessing(processor, where), where),
        resizing=Fact(resizing, where),
        size=Fact(size, where),
    )


def _labels(config: dict[str, Any], origin: str) -> Fact[Labels] | None:
    if "id2label" not in config:
        return None
    labels = Labels.from_json(config["id2label"], f"{origin}, id2label")
    return None if labels.are_placeholders else Fact(labels, f"{origin}, id2label")


def _preprocessing(processor: dict[str, Any], origin: str) -> Preprocessing:
    factor = numbers(processor, "rescale_factor", [1 / 255], origin)[0] if processor.get("do_rescale", True) else 1.0
    if not factor > 0:
        raise ImportRefusedError(f"{origin}: rescale_factor {factor} is not above 0")
    normalizes = processor.get("do_normalize", True)
    mean = numbers(processor, "image_mean", _IMAGENET_STANDARD, origin) if normalizes else [0.0]
    std = numbers(processor, "image_std", _IMAGENET_STANDARD, origin) if normalizes else [1.0]
    return Preprocessing.on_unit_range(mean, std, name="as transformers does", white=1 / factor)


def _resizing(processor: dict[str, Any], origin: str) -> tuple[Resizing, tuple[int, int]]:
    """The rule, and the (height, width) that it leads to."""
    kind = str(processor.get("image_processor_type") or processor.get("feature_extractor_type") or "")
    number = processor.get("resample", 3 if kind.startswith(("ConvNext", "CLIP")) else 2)
    if number not in _RESAMPLE:
        raise ImportRefusedError(f"{origin}: resample {number!r} is none of Pillow's filters {sorted(_RESAMPLE)}")
    if not processor.get("do_resize", True):
        raise ImportRefusedError(f"{origin}: do_resize is false, so it takes pictures of one size only; say --resize")
    sides = _sides(processor.get("size", 224), kind, origin)
    crop = _crop(processor, origin)
    fit, edge, size = _rule(sides, crop, kind, processor, origin)
    return (
        Resizing(fit, edge, _RESAMPLE[number], antialias=True, crop_rounding="floor", exif=True),
        size,
    )


def _crop(processor: dict[str, Any], origin: str) -> tuple[int, int] | None:
    if "crop_size" not in processor or not processor.get("do_center_crop", True):
        return None
    sides = _sides(processor["crop_size"], _SQUARE[0], origin)
    return (sides, sides) if isinstance(sides, int) else sides


def _rule(
    sides: tuple[int, int] | int, crop: tuple[int, int] | None, kind: str, processor: dict[str, Any], origin: str
) -> tuple[Fit, int | None, tuple[int, int]]:
    if kind.startswith("ConvNext"):
        edge = sides if isinstance(sides, int) else sides[0]
        if edge >= _CONVNEXT_CROPS_BELOW:
            return "stretch", None, (edge, edge)
        share = numbers(processor, "crop_pct", [224 / 256], origin)[0]
        return "shortest-edge", int(edge / share), (edge, edge)
    if isinstance(sides, tuple):
        if crop is not None and crop != sides:
            raise ImportRefusedError(f"{origin}: a stretch to {sides} and then a crop to {crop} has no rule here")
        return "stretch", None, sides
    if crop is None:
        raise ImportRefusedError(
            f"{origin}: shortest_edge without a crop gives pictures of many sizes; say --resize and --size"
        )
    return "shortest-edge", sides, crop


def _sides(size: Any, kind: str, origin: str) -> tuple[int, int] | int:
    """(height, width), or the length of the shortest edge."""
    match size:
        case {"height": int(height), "width": int(width)}:
            return height, width
        case {"shortest_edge": int(edge)}:
            return edge
        case int(edge) if kind.startswith(_SQUARE):
            return edge, edge
        case int(edge) if kind.startswith(_SHORTEST_EDGE):
            return edge
        case _:
            raise ImportRefusedError(
                f"{origin}: what size {size!r} means to {kind or 'a processor without a name'} is not known; "
                "say --resize and --size"
            )
