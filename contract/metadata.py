"""What a served model says about itself beside its graph.

Training writes it into the file with :meth:`ModelMetadata.to_props`; serving reads it back with
:meth:`ModelMetadata.from_props`, checks it against the graph, and checks the golden images against the session, before
the model may answer.
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
"""How far a probability may be from the expected one: more than a GPU differs by, far less than a wrong model."""


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

    What is None was not measured, or is not known; it is absent from the file. Fields with a default may be missing in
    a file and then have that default.

    Attributes:
        name: of the model, as in its URL: lower case letters, digits, ``.``, ``_`` and ``-``.
        version: a whole number from 1 upwards, as text.
        labels: K labels, in the order of the output's columns. Equal ones need ``class_ids``.
        height: of the input, in pixels.
        width: of the input, in pixels.
        color_mode: RGB (C = 3) or grey (C = 1).
        fit: how a picture of another shape becomes [height, width].
        polarity: whether a picture with a light border must be inverted first; grey only.
        temperature: that the logits were divided by inside the graph; 1.0 is uncalibrated.
        data: what it learned from.
        training: how it was trained: recipe, epochs, seed, optimiser and so on. Free-form, JSON values.
        golden: a few inputs with the answers expected of them.
        commit: of the code that trained it, or "unknown".
        created: UTC, ISO 8601.
        evaluation: of the file itself, calibrated as served.
        uncalibrated: the same with temperature 1.0.
        reference: distribution of its predictions on the test set.
        golden_tolerance: how far an answer to a golden image may be off. Larger for a graph in fewer bits, which a CPU
            and a GPU round differently.
        class_ids: an identifier for each label, such as a WordNet id; all different.
        multi_label: each probability stands for itself (sigmoid); they do not sum to 1.
        interpolation: filter of the resize.
        antialias: whether the filter is widened where the picture shrinks, as Pillow does it.
        crop_fraction: with ``cover`` and ``shortest-edge``, the share of the shorter side that the crop keeps: 0.875 is
            a resize to 256 and a crop of 224 (timm's ``crop_pct``).
        crop_rounding: where the crop of ``shortest-edge`` begins.
        jpeg_decode: whether large pictures may be reduced before the resize.
        exif: whether a picture is turned as its EXIF orientation says.
        icc: whether an embedded colour profile is converted to sRGB.
        preprocessing_proof: how it is known that the pixels are prepared as the network was trained, in a few words.
        conformal: thresholds of sets of labels, fitted on held-out pictures; None where there were none.
        familiarity: how familiar held-out pictures look; likewise.
        features: (C, H, W) of the last feature map, where the graph has it as a second output; else None.
        class_names: what answers call each class, all different: its label, with the id in brackets where other classes
            have the same label. Derived.
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
        """Writes the metadata as ONNX ``metadata_props``: one JSON value a field, and the schema version.

        Raises:
            ContractError: the metadata contradicts itself.
        """
        props = write_props(self)
        self.from_props(props)  # it is never written what could not be read
        return props

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> Self:
        """Reads the metadata back from ONNX ``metadata_props``.

        Args:
            props: all of the file's properties; those of others are ignored.

        Returns:
            The metadata, every field of the type that it has here, checked against itself.

        Raises:
            ContractError: a field is missing, malformed, or contradicts another.
        """
        values = read_props(props)
        return cls(**(values | {"data": DataSource(**values["data"])}))
