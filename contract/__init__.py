"""What a model file says about itself: the one thing that training and serving share. Standard library only."""

from contract.metadata import (
    GOLDEN_TOLERANCE,
    INPUT_NAME,
    MOST_GOLDEN_TOLERANCE,
    OPSET,
    OUTPUT_NAME,
    SCHEMA_VERSION,
    ColorMode,
    ContractError,
    DataSource,
    Evaluation,
    Fit,
    GoldenImage,
    ModelMetadata,
    Polarity,
    Reference,
    is_model_name,
)

__all__ = [
    "GOLDEN_TOLERANCE",
    "INPUT_NAME",
    "MOST_GOLDEN_TOLERANCE",
    "OPSET",
    "OUTPUT_NAME",
    "SCHEMA_VERSION",
    "ColorMode",
    "ContractError",
    "DataSource",
    "Evaluation",
    "Fit",
    "GoldenImage",
    "ModelMetadata",
    "Polarity",
    "Reference",
    "is_model_name",
]
