"""The metadata of a model file.

Training writes it into the file with :meth:`ModelMetadata.to_props`. Serving reads it with
:meth:`ModelMetadata.from_props`, checks it against the graph, and checks the golden images against the session, before
the model gets any request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from contract.golden import GoldenImage
from contract.held_out import Conformal, Familiarity
from contract.measured import Evaluation, Reference
from contract.names import name_classes
from contract.pixel_rules import ColorMode, CropRounding, Fit, Interpolation, JpegDecode, Polarity
from contract.props import read_props, write_props

GOLDEN_TOLERANCE = 1e-3
"""Largest difference from the expected probability: more than a GPU differs by, far less than a wrong model does."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """The data set on which a model was trained.

    Attributes:
        name: the name that its publishers use.
        licence: its licence, or a note that none is declared.
        citation: the citation that its publishers ask for.
    """

    name: str
    licence: str
    citation: str


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """The metadata of a model file.

    None means not measured or not known; such a field is absent from the file. Fields with a default may be missing in
    a file and then have that default.

    Attributes:
        name: of the model, as in its URL: lower case letters, digits, ``.``, ``_`` and ``-``.
        version: a whole number from 1 upwards, as text.
        labels: K labels, in the order of the output's columns. Equal ones need ``class_ids``.
        height: of the input, in pixels.
        width: of the input, in pixels.
        color_mode: RGB (C = 3) or grey (C = 1).
        fit: how a picture of another size is fitted to [height, width].
        polarity: whether a picture with a light border must be inverted first; grey only.
        temperature: the graph divides the logits by it; 1.0 is uncalibrated.
        data: the data set on which it was trained.
        training: how it was trained: recipe, epochs, seed, optimiser and so on. Free-form, JSON values.
        golden: a few inputs with their expected answers.
        commit: of the code that trained it, or "unknown".
        created: UTC, ISO 8601.
        evaluation: of the file itself, calibrated as served.
        uncalibrated: the same with temperature 1.0.
        reference: distribution of its predictions on the test set.
        golden_tolerance: largest difference of an answer to a golden image. Larger for a graph of lower precision,
            which a CPU and a GPU round differently.
        class_ids: an identifier for each label, such as a WordNet id; all different.
        multi_label: whether the labels are independent (sigmoid), so that probabilities do not sum to 1.
        one_unit: whether the original network has one output unit, the probability of the second of two labels. The
            graph answers both.
        interpolation: filter of the resize.
        antialias: whether the filter is widened where the picture shrinks, as Pillow does it.
        crop_fraction: with ``cover`` and ``shortest-edge``, the share of the shorter side that the crop keeps: 0.875 is
            a resize to 256 and a crop of 224 (timm's ``crop_pct``).
        crop_rounding: how the position of the crop of ``shortest-edge`` is rounded; ``source-pixels`` for ``cover`` and
            ``contain``, and ``target-pixels`` for ``contain``, as Keras makes them.
        jpeg_decode: whether large pictures may be reduced before the resize.
        exif: whether a picture is rotated by its EXIF orientation.
        icc: whether an embedded colour profile is converted to sRGB.
        preprocessing_proof: short note of the evidence that pictures are prepared as in training.
        conformal: thresholds of label sets, fitted on held-out pictures; None where there were none.
        familiarity: distribution of the familiarity score over held-out pictures; None where there were none.
        features: (C, H, W) of the last feature map, where the graph has it as a second output; else None.
        class_names: the name of each class in answers, all different: its label, followed by its id in brackets where
            other classes have the same label. Derived.
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
    golden: tuple[GoldenImage, ...]
    commit: str
    created: str
    evaluation: Evaluation | None = None
    uncalibrated: Evaluation | None = None
    reference: Reference | None = None
    golden_tolerance: float = GOLDEN_TOLERANCE
    class_ids: tuple[str, ...] | None = None
    multi_label: bool = False
    one_unit: bool = False
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    crop_fraction: float = 1.0
    crop_rounding: CropRounding = "round"
    jpeg_decode: JpegDecode = "reduced"
    exif: bool = True
    icc: bool = True
    preprocessing_proof: str | None = None
    features: tuple[int, int, int] | None = None
    conformal: Conformal | None = None
    familiarity: Familiarity | None = None
    class_names: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", name_classes(self.labels, self.class_ids))

    @property
    def channels(self) -> int:
        """C: 3 for RGB, 1 for grey."""
        return 3 if self.color_mode == "RGB" else 1

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.height, self.width, self.channels

    def to_props(self) -> dict[str, str]:
        """Writes the metadata as ONNX ``metadata_props``: one JSON value per field, and the schema version.

        Raises:
            ContractError: the metadata contradicts itself.
        """
        props = write_props(self)
        self.from_props(props)  # checks that what is written can be read
        return props

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> Self:
        """Reads the metadata back from ONNX ``metadata_props``.

        Args:
            props: all of the file's properties; those of other programs are ignored.

        Returns:
            The metadata; the type of every field and the fields together were checked.

        Raises:
            ContractError: a field is missing, malformed, or contradicts another.
        """
        values = read_props(props)
        return cls(**(values | {"data": DataSource(**values["data"])}))
