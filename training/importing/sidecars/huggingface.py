"""A Hugging Face folder: ``config.json`` with ``id2label``, and ``preprocessor_config.json``.

Source: transformers, image_processing_vit.py, image_processing_convnext.py, image_processing_clip.py and
image_transforms.py. The defaults of each processor class are in :mod:`training.importing.sidecars.processors`.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from contract import Fit, Interpolation
from training.errors import ImportRefusedError
from training.importing.labels import Labels
from training.importing.preprocessing import ChannelOrder, Preprocessing
from training.importing.resizing import Resizing
from training.importing.sidecars.json_file import numbers, read_json
from training.importing.sidecars.processors import find_processor
from training.importing.stated import Fact, Stated, Unclear, unless_refused
from training.importing.terms import Head

_RESAMPLE: dict[int, Interpolation] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}
_BILINEAR = 2
_DEFAULT_IF_NULL = ("image_mean", "image_std", "size", "crop_size", "rescale_factor", "crop_pct")
_CONVNEXT_CROPS_BELOW = 384
_PROCESSOR = "preprocessor_config.json"
_MULTI_LABEL = "multi_label_classification"
_REGRESSION = "regression"
_HEAD: Head = "multi-label"
_DONE = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb", "do_flip_channel_order")
"""The steps that are read. `do_reduce_labels` is only for segmentation maps."""


def read(folder: Path) -> Stated | None:
    """Reads the facts that the folder states.

    Returns:
        The facts; None where it is not the folder of a transformers model.

    Raises:
        ImportRefusedError: a file is damaged, or the model is no image classifier.
    """
    config = read_json(folder, "config.json")
    if config is None or not ("model_type" in config or "architectures" in config):
        return None
    origin = f"{folder.resolve().name}/config.json"
    architectures = [str(name) for name in config.get("architectures") or []]
    if architectures and not any("ImageClassification" in name for name in architectures):
        raise ImportRefusedError(f"{origin}: {architectures[0]} is no image classifier")
    problem = config.get("problem_type")
    if problem == _REGRESSION:
        raise ImportRefusedError(f"{origin}: problem_type says {problem!r}; it is no image classifier")
    processor = read_json(folder, _PROCESSOR)
    stated = Stated(
        labels=_labels(config, origin),
        head=Fact(_HEAD, f"{origin}, problem_type") if problem == _MULTI_LABEL else None,  # else the graph shows it
        output=Fact("logits", origin),
    )
    if processor is None:
        return stated
    where = f"{folder.resolve().name}/{_PROCESSOR}"
    try:
        found = _Reader(processor, str(config.get("model_type", "")), where)
    except ImportRefusedError as error:
        return replace(stated, preprocessing=Unclear(error), resizing=Unclear(error))
    fitted = unless_refused(found.resizing, where)
    return replace(
        stated,
        preprocessing=unless_refused(found.preprocessing, where),
        resizing=fitted if isinstance(fitted, Unclear) else Fact(fitted.value[0], where),
        size=None if isinstance(fitted, Unclear) else Fact(fitted.value[1], where),
    )


def _labels(config: dict[str, Any], origin: str) -> Fact[Labels] | None:
    for key in ("id2label", "label2id"):
        document = config.get(key)
        if document:
            where = f"{origin}, {key}"
            labels = unless_refused(partial(Labels.from_json, document, where), where)
            return labels if isinstance(labels, Unclear) or not labels.value.are_placeholders else None
    return None


class _Reader:
    """Reads one ``preprocessor_config.json`` in the same way as the processor class that it names."""

    def __init__(self, values: dict[str, Any], model_type: str, origin: str) -> None:
        kind = str(values.get("image_processor_type") or values.get("feature_extractor_type") or "")
        known = find_processor(kind, model_type)
        if known is None:
            raise ImportRefusedError(
                f"{origin}: what {kind[:60] or 'a processor without a name'} does is not known; say it with "
                "--preprocessing and --resize"
            )
        odd = next((key for key in values if key.startswith("do_") and values[key] and key not in _DONE), None)
        if odd is not None and odd != "do_reduce_labels":
            raise ImportRefusedError(
                f"{origin}: {odd[:60]} has no equal here; say what it comes to with --preprocessing and --resize"
            )
        # A processor takes its default for null, but for these two: PoolFormer's crop_pct, and resample (see resizing).
        absent = [key for key in _DEFAULT_IF_NULL if key != "crop_pct" or known.special != "crop-pct"]
        self.values = {key: value for key, value in values.items() if value is not None or key not in absent}
        self.known, self.origin = known, origin

    def preprocessing(self) -> Preprocessing:
        """The rule for pixel values: rescale, then normalise."""
        factor = self._number("rescale_factor", 1 / 255) if self._does("do_rescale") else 1.0
        if not factor > 0:
            raise ImportRefusedError(f"{self.origin}: rescale_factor {factor} is not above 0")
        mean, std = [0.0], [1.0]
        if self.known.statistics is not None and self._does("do_normalize"):
            mean, std = (
                numbers(self.values, key, list(default), self.origin)
                for key, default in zip(("image_mean", "image_std"), self.known.statistics, strict=True)
            )
        if self.known.special == "twice":
            if self.values.get("rescale_offset", False) and self._does("do_rescale"):
                mean = [value + 1 for value in mean]
            if self.values.get("include_top", True):  # normalised once more, by the std alone
                again = numbers(self.values, "image_std", [0.5, 0.5, 0.5], self.origin)
                std = [first * second for first, second in zip(std * len(again), again, strict=False)]
        is_bgr = self.known.special == "bgr" and self._does("do_flip_channel_order")
        order: ChannelOrder = "BGR" if is_bgr else "RGB"
        return Preprocessing.on_unit_range(mean, std, order=order, name="as transformers does", white=1 / factor)

    def resizing(self) -> tuple[Resizing, tuple[int, int]]:
        """The rule, and the (height, width) of the result."""
        number = self.values.get("resample", self.known.resample)
        if number is None and self.known.resample == _BILINEAR:
            number = _BILINEAR  # null is bilinear in slow processors, and the class's own filter in fast ones
        if number not in _RESAMPLE:
            raise ImportRefusedError(
                f"{self.origin}: resample {number!r} is none of Pillow's filters {sorted(_RESAMPLE)}; say --resize and "
                "--interpolation"
            )
        if not self._does("do_resize"):
            raise ImportRefusedError(
                f"{self.origin}: do_resize is false, so it takes pictures of one size only; say --resize"
            )
        fit, edge, size = self._rule()
        rule = Resizing(fit, edge, _RESAMPLE[number], antialias=True, crop_rounding="floor", exif=True)
        return rule, size

    def _rule(self) -> tuple[Fit, int | None, tuple[int, int]]:
        sides = self._sides("size", self.known.size, is_square=self.known.is_square)
        crop = self._crop()
        if self.known.special == "crop-pct-below-384":
            if self.values.get("do_center_crop", False):
                raise ImportRefusedError(
                    f"{self.origin}: do_center_crop is done by some versions of transformers and ignored by others for "
                    "this class; say --resize, and --size or --crop"
                )
            edge = sides if isinstance(sides, int) else sides[0]
            if edge >= _CONVNEXT_CROPS_BELOW:
                return "stretch", None, (edge, edge)
            return "shortest-edge", int(edge / self._number("crop_pct", 224 / 256)), (edge, edge)
        if self.known.special == "crop-pct":
            if not isinstance(sides, int) and sides[0] != sides[1]:
                raise ImportRefusedError(f"{self.origin}: crop_pct with {sides} has no rule here; say --resize")
            edge = sides if isinstance(sides, int) else sides[0]
            sides = edge if self.values.get("crop_pct", 0.9) is None else int(edge / self._number("crop_pct", 0.9))
        elif self.known.special == "256-of-224" and isinstance(sides, int):
            sides = int((256 / 224) * sides)
        if isinstance(sides, tuple):
            return self._stretch(sides, crop)
        if crop is None:
            raise ImportRefusedError(
                f"{self.origin}: shortest_edge without a crop gives pictures of many sizes; say --resize and --size"
            )
        return "shortest-edge", sides, crop

    def _stretch(self, sides: tuple[int, int], crop: tuple[int, int] | None) -> tuple[Fit, int | None, tuple[int, int]]:
        if crop is None or crop == sides:
            return "stretch", None, sides
        if sides[0] != sides[1] or crop[0] != crop[1] or crop > sides:
            raise ImportRefusedError(
                f"{self.origin}: a stretch to {sides} and then a crop to {crop} has no rule here; say --resize"
            )
        return "stretch", sides[0], crop

    def _crop(self) -> tuple[int, int] | None:
        crops = self.values.get("do_center_crop", self.known.crop is not None and self.known.crops)  # null is false
        if not crops or ("crop_size" not in self.values and self.known.crop is None):
            return None
        sides = self._sides("crop_size", self.known.crop or 0, is_square=True)
        return (sides, sides) if isinstance(sides, int) else sides

    def _sides(self, key: str, default: int, *, is_square: bool) -> tuple[int, int] | int:
        """(height, width), or the length of the shortest edge."""
        match self.values.get(key, default):
            case {"height": int(height), "width": int(width)} if height > 0 and width > 0:
                return height, width
            case {"shortest_edge": int(edge), **others} if edge > 0 and not any(others.values()):
                return edge
            case int(edge) if edge > 0:
                return (edge, edge) if is_square else edge
            case other:
                raise ImportRefusedError(
                    f"{self.origin}: what {key} {str(other)[:80]} means is not known; say --resize and --size"
                )

    def _does(self, key: str) -> bool:
        return bool(self.values.get(key, True))  # null is false: it replaces the class's own value

    def _number(self, key: str, default: float) -> float:
        return numbers(self.values, key, [default], self.origin)[0]
