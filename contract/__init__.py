"""The metadata of model files, which training writes and serving reads. Needs the standard library only.

An exported classifier is one ONNX file. Everything that turns pixels into probabilities is inside its graph::

    image  uint8 [N, H, W, C]  ->  scale -> network -> temperature -> softmax  ->  probabilities  float32 [N, K]
                                      ├─ the last feature map, optional  ->  features  float32 [N, C, H, W]
                                      └─ a score of it, optional         ->  familiarity  float32 [N]

Other facts (labels, how a picture of another size becomes an input, how good the model is, which data it was trained
on) are in the file's ``metadata_props``, which :mod:`contract.props` reads and writes.
"""

from contract.errors import ContractError, NoMetadataError
from contract.fields import is_text
from contract.golden import MOST_GOLDEN_BYTES, GoldenImage, most_golden_images
from contract.held_out import COVERAGES, Conformal, CoverageLevel, Familiarity
from contract.measured import Evaluation, Reference, wilson_interval
from contract.metadata import GOLDEN_TOLERANCE, DataSource, ModelMetadata
from contract.names import NAME_RULE, VERSION_RULE, is_model_name, is_version, name_classes
from contract.pixel_rules import ColorMode, CropRounding, Fit, Interpolation, JpegDecode, Polarity
from contract.props import LEAST_CROP_FRACTION, MOST_LABEL_CHARACTERS, MOST_LABELS, MOST_LONG_CHARACTERS, SCHEMA_VERSION

INPUT_NAME = "image"
OUTPUT_NAME = "probabilities"
FEATURES_NAME = "features"
FAMILIARITY_NAME = "familiarity"
OPSET = 18

__all__ = [
    "COVERAGES",
    "FAMILIARITY_NAME",
    "FEATURES_NAME",
    "GOLDEN_TOLERANCE",
    "INPUT_NAME",
    "LEAST_CROP_FRACTION",
    "MOST_GOLDEN_BYTES",
    "MOST_LABELS",
    "MOST_LABEL_CHARACTERS",
    "MOST_LONG_CHARACTERS",
    "NAME_RULE",
    "OPSET",
    "OUTPUT_NAME",
    "SCHEMA_VERSION",
    "VERSION_RULE",
    "ColorMode",
    "Conformal",
    "ContractError",
    "CoverageLevel",
    "CropRounding",
    "DataSource",
    "Evaluation",
    "Familiarity",
    "Fit",
    "GoldenImage",
    "Interpolation",
    "JpegDecode",
    "ModelMetadata",
    "NoMetadataError",
    "Polarity",
    "Reference",
    "is_model_name",
    "is_text",
    "is_version",
    "most_golden_images",
    "name_classes",
    "wilson_interval",
]
