"""Pictures as requests of TF Serving write them."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def b64(picture: bytes) -> dict[str, str]:
    """A picture as the bytes of its file."""
    return {"b64": base64.b64encode(picture).decode()}


def pixels(path: Path) -> Any:
    """A picture as a list of numbers, [H, W, C]."""
    array = np.asarray(Image.open(path))
    return (array if array.ndim == 3 else array[:, :, None]).tolist()
