"""The golden images that a measurement gives to a model's metadata."""

import numpy as np
import pytest

from contract import Evaluation
from training.data.dataset import LabelledImages
from training.measurement import Measurement
from training.scores import confusion_matrix


@pytest.mark.parametrize(("side", "images"), [(32, 10), (800, 8), (2364, 1)])
def test_large_pictures_are_fewer_golden_images(side: int, images: int) -> None:
    classes = np.repeat(np.arange(12), 2)
    pixels = np.broadcast_to(np.uint8(0), (len(classes), side, side, 3))
    probabilities = np.eye(12, dtype=np.float32)[classes]
    measured = Measurement(
        tuple(f"c{index}" for index in range(12)),
        LabelledImages(pixels, classes),
        probabilities,
        Evaluation(len(classes), 1.0, 0.0, 0.0, 0.0),
        confusion_matrix(probabilities, classes),
    )
    assert [image.label for image in measured.golden_images()] == [f"c{index}" for index in range(images)]
