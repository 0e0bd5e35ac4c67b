"""Metadata that a decoder does not need is removed from its file; data that gives the pixels their meaning stays."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from bench.reliability.hostile_pictures.jpeg import Segment, file_of, segments
from bench.reliability.hostile_pictures.picture import encode, photo
from imaging import Observation, Target, decode, examine, read
from imaging.bounds import measure
from imaging.formats.orientation import orientation_of
from tests.process import FIXTURES

TARGET = Target(32, 32, "RGB", "cover", light_on_dark=False)
UPRIGHT = photo(32, 32)
STORED = UPRIGHT.transpose(Image.Transpose.ROTATE_90)  # orientation 6 rotates it back
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def observed(data: bytes) -> list[Observation]:
    seen: list[Observation] = []
    decode(examine(data), TARGET, seen)
    return seen


def texts(kind: str, text: str, *, is_compressed: bool = False) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    if kind == "XML:com.adobe.xmp":
        info.add_itxt(kind, text, zip=is_compressed)
    else:
        info.add_text(kind, text, zip=is_compressed)
    return info


def raw_profile() -> str:
    block = exif(6)
    return f"\nexif\n{len(block):8}\n{block.hex()}\n"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"exif": exif(6), "quality": 95}),
        ("JPEG", {"xmp": XMP, "quality": 95}),
        ("JPEG", {"exif": exif(6), "quality": 95, "progressive": True, "comment": b"x" * 60_000}),
        ("PNG", {"exif": exif(6)}),
        ("PNG", {"pnginfo": texts("XML:com.adobe.xmp", XMP.decode())}),
        ("PNG", {"pnginfo": texts("XML:com.adobe.xmp", XMP.decode(), is_compressed=True)}),
        ("PNG", {"pnginfo": texts("Raw profile type exif", raw_profile())}),
        ("PNG", {"pnginfo": texts("Raw profile type exif", raw_profile(), is_compressed=True)}),
    ],
)
def test_the_orientation_is_seen_wherever_it_stands(kind: str, options: dict[str, object]) -> None:
    pixels = read(encode(STORED, kind, **options), TARGET)
    assert np.abs(pixels.astype(int) - np.asarray(UPRIGHT)).mean() < (12 if kind == "JPEG" else 0.01)


@pytest.mark.parametrize(
    "written",
    [
        b"<a tiff:Orientation='6'/>",
        b'<a tiff:Orientation = "6"/>',
        b"<tiff:Orientation>6</tiff:Orientation>",
        b"<tiff:Orientation>\n  6\n</tiff:Orientation>",
    ],
)
def test_the_orientation_in_xmp_is_seen_in_every_spelling(written: bytes) -> None:
    assert orientation_of({"xmp": b"<x:xmpmeta>%b</x:xmpmeta>" % written}) == 6


@pytest.mark.parametrize("value", [0, 9, 70_000])
def test_an_orientation_that_does_not_exist_is_none(value: int) -> None:
    block = b"Exif\0\0MM\0*" + struct.pack(">IHHHIII", 8, 1, 0x0112, 4, 1, value, 0)
    (seen,) = observed(encode(photo(64, 48), "PNG", exif=block))
    assert (seen.width, seen.height, seen.orientation) == (64, 48, 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIC"])
def test_a_turned_picture_is_measured_upright(kind: str) -> None:
    if kind == "HEIC":
        pytest.importorskip("pi_heif")
        data = (FIXTURES / "formats" / "turned.heic").read_bytes()
    else:
        data = encode(photo(120, 80), kind, exif=exif(6))
    (seen,) = observed(data)
    assert (seen.width, seen.height, seen.orientation) == (80, 120, 6)
    assert seen.box == (0, 20, 80, 100)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [500, 70_000])
def test_a_colour_profile_stays_in_the_file(kind: str, size: int) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + np.random.default_rng(0).bytes(size)
    data = encode(UPRIGHT, kind, icc_profile=profile, exif=exif(6))
    needed = measure(kind, data).data
    with Image.open(io.BytesIO(needed)) as picture:
        assert picture.info["icc_profile"] == profile


def test_what_no_decoder_needs_is_left_out() -> None:
    first, *rest = segments(encode(UPRIGHT, "JPEG"))
    plain = file_of(first, *rest)
    film = b"\0\0\0\x18ftypmp42" * 1000  # after the picture, as in motion photos of phones
    notes = [Segment(0xFE, b"note"), Segment(0xE1, b"Exif\0\0" + exif(1)[6:]), Segment(0xED, b"Photoshop 3.0\0")]
    assert measure("JPEG", plain).data == plain
    stripped = measure("JPEG", file_of(first, *notes, *rest) + film).data
    assert stripped.startswith(plain)
    assert (read(stripped, TARGET) == read(plain, TARGET)).all()
    png = encode(UPRIGHT, "PNG")
    assert measure("PNG", png).data is png
    note = zlib.compress(b"a note")
    text = struct.pack(">I", len(note) + 6) + b"zTXtnote\0\0" + note + bytes(4)
    assert measure("PNG", png[:33] + text + png[33:]).data == png
