"""Reads a picture's orientation, numbered as in EXIF (CIPA DC-008, tag 274), from the four places that can hold it."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from PIL import Image

from imaging.errors import UnreadableError
from imaging.formats.tiff_directory import ORIENTATION, Directory

_TURNS: Mapping[int, Image.Transpose] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)
APPLIED = "applied orientation"
"""Key in the ``info`` of a picture that its format's module has already turned: the orientation; 1 for none."""

_KEYS = frozenset(("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"))
_EXIF_START = b"Exif\0\0"
_IN_XMP = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])(?!\d)""")
_MOST_XMP = 1 << 20
_MOST = 8


def turned(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture rotated and mirrored by an orientation from 1 to 8; unchanged for 1."""
    turn = _TURNS.get(orientation)
    if turn is None:
        return picture
    upright = picture.transpose(turn)
    upright.info = picture.info
    return upright


def orientation_of(info: Mapping[Any, Any]) -> int:
    """The orientation that a picture's EXIF, or else its XMP, declares; 1 where neither does or both are broken.

    Args:
        info: of a picture that Pillow opened.
    """
    if _KEYS.isdisjoint(info):
        return 1
    exif = info.get("exif") or _from_text(info.get("Raw profile type exif"))
    if isinstance(exif, bytes) and (found := _in_exif(exif)):
        return found
    for key in ("XML:com.adobe.xmp", "xmp"):
        packet = info.get(key)
        if isinstance(packet, str):
            packet = packet.encode("utf-8", "ignore")
        if isinstance(packet, bytes) and (match := _IN_XMP.search(packet, 0, _MOST_XMP)):
            return int(match[1])
    return 1


def declared(directory: Directory) -> int | None:
    """The orientation in a directory of EXIF or TIFF; None where there is none, or not one from 1 to 8."""
    orientation = directory.value(ORIENTATION, 0)
    return orientation if 1 <= orientation <= _MOST else None


def _from_text(profile: Any) -> bytes:
    """EXIF as ImageMagick writes it into a PNG's text: three lines of heading, then hexadecimal digits."""
    if not isinstance(profile, str):
        return b""
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:]))
    except ValueError:
        return b""


def _in_exif(exif: bytes) -> int | None:
    while exif.startswith(_EXIF_START):
        exif = exif[len(_EXIF_START) :]
    try:
        return declared(Directory.of(exif))
    except UnreadableError:  # the EXIF is broken, but the pixels are valid
        return None
