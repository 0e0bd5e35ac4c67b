"""Golden images: inputs with known answers."""

import base64
import binascii
import math
import zlib
from dataclasses import dataclass
from typing import Any

from contract import fields
from contract.errors import ContractError

MOST_GOLDEN_IMAGES = 100
MOST_GOLDEN_BYTES = 1 << 24
"""Most bytes of pixels of all golden images together, where there is more than one."""

# With low precision, rounding can make a probability, or a sum of probabilities, slightly larger than 1.
_LARGEST_PROBABILITY = 1.001
_SUM_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class GoldenImage:
    """One input with a known answer, to check that this file, on this machine, computes as when it was exported.

    Attributes:
        pixels: uint8 pixels, row-major [H, W, C], exactly as the graph takes them.
        label: the true label of the picture; None where it is not known.
        probabilities: the answer of the exported file, or of the model that it was made from, float32 [K].
    """

    pixels: bytes
    label: str | None
    probabilities: tuple[float, ...]


def most_golden_images(pixel_bytes: int) -> int:
    """How many golden images a model can have, whose input has so many bytes (H x W x C)."""
    return max(1, min(MOST_GOLDEN_IMAGES, MOST_GOLDEN_BYTES // pixel_bytes))


def write_golden(image: GoldenImage) -> dict[str, Any]:
    """The JSON form; the pixels are deflated and in base64."""
    pixels = base64.b64encode(zlib.compress(image.pixels, 9)).decode("ascii")
    return {"pixels": pixels, "label": image.label, "probabilities": list(image.probabilities)}


def read_golden(
    value: Any, field: str, *, pixel_bytes: int, labels: tuple[str, ...], multi_label: bool
) -> tuple[GoldenImage, ...]:
    """Reads all golden images from their JSON form. At most the bytes of one input are inflated for each.

    Args:
        value: the list.
        field: its name.
        pixel_bytes: H x W x C.
        labels: of the model.
        multi_label: whether the probabilities of an image need not sum to 1.
    """
    most_characters = 4 * (pixel_bytes + pixel_bytes // 1000 + 1024) // 3
    read = fields.members(
        {
            "pixels": fields.text(most=most_characters, rule=f"at most {most_characters} characters of base64"),
            "label": fields.optional(fields.text(most=1 << 16)),
            "probabilities": fields.sequence(
                fields.number(0, _LARGEST_PROBABILITY), least=len(labels), most=len(labels)
            ),
        }
    )
    entries = fields.sequence(lambda entry, _: entry, least=1, most=MOST_GOLDEN_IMAGES)(value, field)
    if len(entries) > most_golden_images(pixel_bytes):
        raise ContractError(
            f"metadata field {field}: {len(entries)} images of {pixel_bytes} bytes; "
            f"more than {MOST_GOLDEN_BYTES} bytes together cannot be"
        )
    known, images = set(labels), []
    for place, entry in enumerate(entries):
        where = f"{field}[{place}]"
        found = read(entry, where)
        if found["label"] is not None and found["label"] not in known:
            raise ContractError(f"metadata field {where}.label: it is not one of the model's labels")
        if not multi_label and abs(math.fsum(found["probabilities"]) - 1) > _SUM_TOLERANCE:
            raise ContractError(f"metadata field {where}.probabilities: they do not sum to 1")
        pixels = _inflate(found["pixels"], f"{where}.pixels", pixel_bytes)
        images.append(GoldenImage(pixels, found["label"], found["probabilities"]))
    return tuple(images)


def _inflate(text: str, field: str, pixel_bytes: int) -> bytes:
    try:
        inflater = zlib.decompressobj()
        pixels = inflater.decompress(base64.b64decode(text, validate=True), pixel_bytes + 1)
    except (ValueError, binascii.Error, zlib.error):
        raise ContractError(f"metadata field {field}: it is not deflated data in base64") from None
    if len(pixels) != pixel_bytes or not inflater.eof:
        raise ContractError(f"metadata field {field}: it does not hold the {pixel_bytes} bytes of one input")
    return pixels
