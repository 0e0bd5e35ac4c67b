"""A timm folder: ``config.json`` with ``architecture``, ``pretrained_cfg`` and the labels.

Source: timm, data/config.py (resolve_data_config) and data/transforms_factory.py (transforms_imagenet_eval).
"""

import math
from pathlib import Path
from typing import Any, get_args

from contract import Interpolation
from training.errors import ImportRefusedError
from training.importing.labels import Labels
from training.importing.preprocessing import Preprocessing
from training.importing.resizing import Resizing
from training.importing.sidecars.json_file import numbers, read_json
from training.importing.stated import Fact, Stated, unless_refused

_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_CROP_SHARE = 0.875


def read(folder: Path, size: tuple[int, int] | None = None) -> Stated | None:
    """Reads the facts that the folder states.

    Args:
        folder: with ``config.json``.
        size: of the input, where it is given: if the values for testing have this size, they are taken.

    Returns:
        The facts; None where it is not the folder of a timm model.

    Raises:
        ImportRefusedError: a file is damaged.
    """
    config = read_json(folder, "config.json")
    if config is None or "architecture" not in config:
        return None
    origin = f"{folder.resolve().name}/config.json"
    pretrained = config.get("pretrained_cfg", config)
    if not isinstance(pretrained, dict):
        raise ImportRefusedError(f"{origin}: pretrained_cfg is not an object")
    height, width, share = _input(pretrained, size, origin)
    return Stated(
        labels=_labels(config, origin),
        preprocessing=unless_refused(lambda: _preprocessing(pretrained, origin), f"{origin}, mean and std"),
        resizing=unless_refused(
            lambda: _resizing(pretrained, height, width, share, origin), f"{origin}, crop_pct and crop_mode"
        ),
        size=Fact((height, width), f"{origin}, input_size"),
    )


def _preprocessing(pretrained: dict[str, Any], origin: str) -> Preprocessing:
    mean, std = numbers(pretrained, "mean", _MEAN, origin), numbers(pretrained, "std", _STD, origin)
    return Preprocessing.on_unit_range(mean, std, name="as timm does")


def _input(pretrained: dict[str, Any], size: tuple[int, int] | None, origin: str) -> tuple[int, int, float]:
    """(height, width, crop_pct)."""
    prefix = ""
    if size is not None and _sides(pretrained, "test_input_size", origin) == size:
        prefix = "test_"
    sides = _sides(pretrained, f"{prefix}input_size", origin) or (224, 224)
    default = numbers(pretrained, "crop_pct", [_CROP_SHARE], origin)[0]
    return *sides, numbers(pretrained, f"{prefix}crop_pct", [default], origin)[0]


def _sides(pretrained: dict[str, Any], key: str, origin: str) -> tuple[int, int] | None:
    match pretrained.get(key):
        case None:
            return None
        case [int(), int(height), int(width)]:
            return height, width
        case other:
            raise ImportRefusedError(f"{origin}: {key} {other!r} is not [channels, height, width]")


def _resizing(pretrained: dict[str, Any], height: int, width: int, share: float, origin: str) -> Resizing:
    interpolation = pretrained.get("interpolation", "bicubic")
    if interpolation not in get_args(Interpolation):
        raise ImportRefusedError(
            f"{origin}: interpolation {str(interpolation)[:60]!r} is none of {', '.join(get_args(Interpolation))}; say "
            "--resize and --interpolation as pictures were resized in training"
        )
    mode = pretrained.get("crop_mode", "center")
    if mode == "center" and height == width and 0 < share <= 1:
        return Resizing("shortest-edge", math.floor(height / share), interpolation)
    if mode == "squash" and height == width and 0 < share <= 1:
        edge = math.floor(height / share)
        return Resizing("stretch", None if edge == height else edge, interpolation)
    raise ImportRefusedError(
        f"{origin}: crop_mode {mode!r} with crop_pct {share} at {height} x {width} has no rule here; say --resize"
    )


def _labels(config: dict[str, Any], origin: str) -> Fact[Labels] | None:
    names = config.get("label_names") or config.get("pretrained_cfg", {}).get("label_names")
    if not names:
        return None
    described = config.get("label_descriptions") or {}
    if isinstance(names, list) and isinstance(described, dict) and all(name in described for name in names):
        pairs = [[name, described[name]] for name in names]
        return unless_refused(lambda: Labels.from_json(pairs, origin), f"{origin}, label_descriptions")
    return unless_refused(lambda: Labels.from_json(names, f"{origin}, label_names"), f"{origin}, label_names")
