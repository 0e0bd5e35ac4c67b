"""Writes receipts: the data with which a prediction can be repeated and compared.

A receipt is not signed. It shows from which data a prediction was computed, but not who computed it.
"""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract import SCHEMA_VERSION
from imaging import Target
from service import __version__
from service.inference.runtime import onnxruntime
from service.models.catalog import ServedModel

RECEIPT_VERSION = 1
DECODERS: Final = ("pillow", "simplejpeg", "kornia-rs", "pi-heif")
"""The packages with which ``imaging`` decodes pictures; all but the first are optional."""


class Asked(NamedTuple):
    """The classified picture.

    Attributes:
        kind: ``picture``, a file; or ``pixels``, one image of an array.
        data: the bytes of the sent file, without base64 and other encodings; or uint8 [H, W, C], row-major.
        prepare: the parameter ``prepare`` of the request.
    """

    kind: Literal["picture", "pixels"]
    data: bytes | memoryview
    prepare: str


def write_receipt(
    model: ServedModel, asked: Asked, probabilities: NDArray[np.float32], batch_size: int
) -> dict[str, Any]:
    """Writes one picture's receipt, for JSON.

    Args:
        model: the model that answered.
        asked: the classified picture.
        probabilities: the answer, float32 [K].
        batch_size: images in the largest run of its request.
    """
    metadata = model.metadata
    return {
        "receipt_version": RECEIPT_VERSION,
        "model": metadata.name,
        "version": metadata.version,
        "model_sha256": model.sha256,
        f"{asked.kind}_sha256": hashlib.sha256(asked.data).hexdigest(),
        "prepare": asked.prepare,
        "fit": describe_fit(model.target),
        "temperature": metadata.temperature,
        "contract_version": SCHEMA_VERSION,
        "provider": model.provider,
        **dict(software()),
        "batch_size": batch_size,
        "probabilities": probabilities,
    }


def describe_fit(target: Target) -> dict[str, Any]:
    """The parameters by which a picture is resized and converted to the input of a model."""
    return {
        "height": target.height,
        "width": target.width,
        "color_mode": target.color_mode,
        "fit": target.fit,
        "polarity": "light-on-dark" if target.light_on_dark else "any",
        "interpolation": target.interpolation,
        "antialias": target.antialias,
        "crop_fraction": target.crop_fraction,
        "crop_rounding": target.crop_rounding,
        "jpeg_decode": "reduced" if target.is_reduced else "full",
        "exif": target.exif,
        "icc": target.icc,
    }


@cache
def software() -> tuple[tuple[str, str], ...]:
    """The versions of the programs that compute predictions here, by their names in a receipt."""
    decoders = [f"{package} {found}" for package in DECODERS if (found := _version(package))]
    return (
        ("convoy", __version__),
        ("decoder", ", ".join(decoders)),
        ("runtime", f"onnxruntime {onnxruntime.__version__}"),
    )


def _version(package: str) -> str:
    try:
        return installed_version(package)
    except PackageNotFoundError:
        return ""
