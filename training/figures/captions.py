"""The captions of a version's figures, in the words of the service's page (`service/api/page/figures.py`)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DPI: Final = 100
"""Resolution of every figure, in dots an inch."""
MOST_CLASSES: Final = 50
"""More cannot be read in one confusion matrix."""

CAPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "first_training_images": "The first training images.",
        "class_counts": "Number of images of each class.",
        "learning_curves": (
            "Loss and mistakes over the epochs; the dashed line marks the epoch whose weights were kept."
        ),
        "confusion_matrix": "Confusion matrix: rows are true classes, columns are predicted classes.",
        "random_predictions": "Random test images, each with its predicted (true) label.",
        "confident_mistakes": "The wrong answers with the highest confidence.",
        "reliability_diagram": "Accuracy against confidence, before and after calibration.",
        "first_kernels": "The kernels of the first layer.",
        "feature_maps": "The feature maps of one test image, layer by layer.",
    }
)
"""The caption of each figure, by file name without ``.png``, in the order of the model card."""
