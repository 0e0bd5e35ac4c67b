"""What a model file says about itself: the one thing that training and serving share.

An exported classifier is one ONNX file. Everything that turns pixels into probabilities is inside its graph::

    image  uint8 [N, H, W, C]  ->  scale -> network -> temperature -> softmax  ->  probabilities  float32 [N, K]

What a graph cannot say (labels, how a picture of another size becomes an input, how good the model is, whose data it
learned from) stands in the file's ``metadata_props``, one JSON value a field, under the key ``convoy.<field>``.
Training writes it with :meth:`ModelMetadata.to_props`; serving reads it back with :meth:`ModelMetadata.from_props`,
checks it against the graph, and checks the golden images against the session, before the model may answer.

Standard library only, so that neither side drags in the other's dependencies.
"""

import base64
import binascii
import dataclasses
import json
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

SCHEMA_VERSION = 1
INPUT_NAME = "image"
OUTPUT_NAME = "probabilities"
OPSET = 18
GOLDEN_TOLERANCE = 1e-3
"""How far a probability may be from the expected one: more than a GPU differs by, far less than a wrong model."""
MOST_GOLDEN_TOLERANCE = 0.1

ColorMode = Literal["RGB", "L"]
Fit = Literal["cover", "contain", "stretch"]
Polarity = Literal["light-on-dark", "any"]

_KEY_PREFIX = "convoy."
_OPTIONAL = ("golden_tolerance",)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


def is_model_name(name: str) -> bool:
    """Whether a model may be called ``name``: it stands in its URL and as its folder's name."""
    return _NAME.fullmatch(name) is not None


class ContractError(ValueError):
    """A model file's metadata is missing, malformed, or contradicts itself. The message names the field."""


@dataclass(frozen=True, slots=True)
class GoldenImage:
    """One input whose answer is known: proof that this file, on this machine, still is the model that was measured.

    Attributes:
        pixels: uint8 pixels, row-major [H, W, C], exactly as the graph takes them.
        label: the true label of the picture.
        probabilities: what the exported file answered when it was made, float32 [K].
    """

    pixels: bytes
    label: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured with ONNX Runtime on the exported file, over a whole test set of ``images`` pictures.

    Attributes:
        images: how many test images.
        accuracy: share of them whose most probable label is the true one, 0 to 1.
        log_loss: mean negative log-likelihood of the true label, in nats.
        brier_score: mean squared distance between the probabilities and the one-hot truth, 0 to 2.
        expected_calibration_error: over 15 equal-width confidence bins, 0 to 1 (Guo et al., 2017).
    """

    images: int
    accuracy: float
    log_loss: float
    brier_score: float
    expected_calibration_error: float


@dataclass(frozen=True, slots=True)
class Reference:
    """How predictions were distributed over the test set: what live traffic's drift is measured against.

    Attributes:
        predicted_classes: share of images predicted as each label, in label order, [K], sums to 1.
        confidences: share of images whose highest probability falls into each tenth of 0 to 1, [10], sums to 1.
    """

    predicted_classes: tuple[float, ...]
    confidences: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DataSource:
    """The data set that a model learned from.

    Attributes:
        name: as its publishers call it.
        licence: what is known of it, or that nothing is declared.
        citation: how its publishers ask to be cited.
    """

    name: str
    licence: str
    citation: str


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """Everything that a served model says about itself beside its graph.

    Attributes:
        name: of the model, as in its URL: lower case letters, digits, ``.``, ``_`` and ``-``.
        version: a whole number from 1 upwards, as text.
        labels: K labels, in the order of the output's columns.
        height: of the input, in pixels.
        width: of the input, in pixels.
        color_mode: ``RGB`` (C = 3) or ``L`` (grey, C = 1).
        fit: how a picture of another shape becomes [height, width]: ``cover`` scales it to fill and crops the centre,
            ``contain`` scales it to fit and pads, ``stretch`` ignores its proportions.
        polarity: ``light-on-dark`` where the network saw light strokes on a dark ground only, so that a picture with
            a light border must be inverted first (grey only); ``any`` where colours mean what they are.
        temperature: that the logits were divided by inside the graph; 1.0 is uncalibrated.
        data: what it learned from.
        training: how it was trained: recipe, epochs, seed, optimiser and so on. Free-form, JSON values.
        evaluation: of the file itself, calibrated as served.
        uncalibrated: the same with temperature 1.0.
        reference: distribution of its predictions on the test set.
        golden: a few inputs with the answers expected of them.
        commit: of the code that trained it, or "unknown".
        created: UTC, ISO 8601.
        golden_tolerance: how far an answer to a golden image may be off. Larger for a graph in fewer bits, which a CPU
            and a GPU round differently. Files without it have the one of float32.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    height: int
    width: int
    color_mode: ColorMode
    fit: Fit
    polarity: Polarity
    temperature: float
    data: DataSource
    training: Mapping[str, Any]
    evaluation: Evaluation
    uncalibrated: Evaluation
    reference: Reference
    golden: tuple[GoldenImage, ...]
    commit: str
    created: str
    golden_tolerance: float = GOLDEN_TOLERANCE

    @property
    def channels(self) -> int:
        """C: 3 for RGB, 1 for grey."""
        return 3 if self.color_mode == "RGB" else 1

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.height, self.width, self.channels

    def to_props(self) -> dict[str, str]:
        """Writes the metadata as ONNX ``metadata_props``.

        Returns:
            One JSON string a field, and the schema version.

        Raises:
            ContractError: the metadata contradicts itself.
        """
        self._check()
        fields = {name: _plain(getattr(self, name)) for name in self.__slots__}
        fields["schema_version"] = SCHEMA_VERSION
        return {_KEY_PREFIX + name: json.dumps(value, allow_nan=False) for name, value in fields.items()}

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> Self:
        """Reads the metadata back from ONNX ``metadata_props``.

        Args:
            props: all of the file's properties; those of others are ignored.

        Returns:
            The metadata, checked against itself.

        Raises:
            ContractError: a field is missing, malformed, or contradicts another.
        """
        written_by = _field(props, "schema_version")
        if written_by != SCHEMA_VERSION:
            raise ContractError(f"schema_version is {written_by!r}; this build reads {SCHEMA_VERSION}")
        written = [name for name in cls.__slots__ if name not in _OPTIONAL or _KEY_PREFIX + name in props]
        values = {name: _field(props, name) for name in written}
        try:
            values |= {
                "labels": tuple(values["labels"]),
                "data": DataSource(**values["data"]),
                "evaluation": Evaluation(**values["evaluation"]),
                "uncalibrated": Evaluation(**values["uncalibrated"]),
                "reference": Reference(**{key: tuple(shares) for key, shares in values["reference"].items()}),
                "golden": tuple(_golden(entry) for entry in values["golden"]),
            }
        except (TypeError, AttributeError, KeyError, ValueError, binascii.Error, zlib.error) as error:
            raise ContractError(f"metadata is malformed: {error}") from error
        metadata = cls(**values)
        metadata._check()
        return metadata

    def _check(self) -> None:
        sides = self.height, self.width
        sides_are_sane = all(isinstance(side, int) and 1 <= side <= 4096 for side in sides)
        size = math.prod(self.input_shape) if sides_are_sane else -1
        rules = {
            "name": isinstance(self.name, str) and _NAME.fullmatch(self.name) is not None,
            "version": isinstance(self.version, str) and _VERSION.fullmatch(self.version) is not None,
            "labels": len(self.labels) >= 2
            and all(isinstance(label, str) and label for label in self.labels)
            and len(set(self.labels)) == len(self.labels),
            "color_mode": self.color_mode in get_args(ColorMode),
            "height, width": sides_are_sane,
            "fit": self.fit in get_args(Fit),
            "polarity": self.polarity == "any" or (self.polarity == "light-on-dark" and self.color_mode == "L"),
            "temperature": isinstance(self.temperature, int | float)
            and math.isfinite(self.temperature)
            and self.temperature > 0,
            "golden_tolerance": isinstance(self.golden_tolerance, float)
            and 0 < self.golden_tolerance <= MOST_GOLDEN_TOLERANCE,
            "reference": len(self.reference.predicted_classes) == len(self.labels)
            and len(self.reference.confidences) == 10,
            "golden": len(self.golden) > 0
            and all(
                len(image.pixels) == size
                and len(image.probabilities) == len(self.labels)
                and image.label in self.labels
                for image in self.golden
            ),
        }
        wrong = [field for field, holds in rules.items() if not holds]
        if wrong:
            raise ContractError(f"metadata is malformed or contradicts itself in: {', '.join(wrong)}")


def _field(props: Mapping[str, str], name: str) -> Any:
    try:
        return json.loads(props[_KEY_PREFIX + name])
    except KeyError:
        raise ContractError(f"metadata field {_KEY_PREFIX}{name} is missing") from None
    except ValueError as error:
        raise ContractError(f"metadata field {_KEY_PREFIX}{name} is not JSON: {error}") from error


def _plain(value: Any) -> Any:
    """The JSON form of a field; pixels are deflated and base64-encoded."""
    if isinstance(value, bytes):
        return base64.b64encode(zlib.compress(value, 9)).decode("ascii")
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _golden(entry: Mapping[str, Any]) -> GoldenImage:
    inflater = zlib.decompressobj()
    pixels = inflater.decompress(base64.b64decode(entry["pixels"], validate=True), 4096 * 4096 * 3)
    return GoldenImage(pixels, entry["label"], tuple(float(share) for share in entry["probabilities"]))
