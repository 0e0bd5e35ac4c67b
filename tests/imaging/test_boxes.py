"""AVIF and HEIC: read, rotated, kept within the limits even if their boxes lie, and named where unreadable."""

import struct
import time
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from imaging import Limits, Target, TooManyPixelsError, UnreadableError, examine, read
from imaging.formats import FORMATS, av1, heif, hevc
from imaging.formats.boxes import read_container
from tests.imaging.files import largest_difference, photo, read_whole
from tests.process import FIXTURES

HEIC = (FIXTURES / "formats" / "photo.heic").read_bytes()
SIZE = (120, 80)
SMALL = Target(8, 8, "RGB", "stretch", light_on_dark=False)

needs_heif = pytest.mark.skipif(find_spec("pi_heif") is None, reason="the extra `heif` is not installed")


def _avif(width: int = 120, height: int = 80, **options: object) -> bytes:
    return picture_bytes(photo(width, height), "AVIF", quality=90, **options)


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _with_size(data: bytes, width: int, height: int) -> bytes:
    """The same file with another size in its boxes."""
    at = data.index(b"ispe") + 8
    return data[:at] + width.to_bytes(4) + height.to_bytes(4) + data[at + 8 :]


def test_avif_is_read() -> None:
    assert largest_difference(read_whole(_avif(), SIZE), np.asarray(photo(*SIZE))) < 20


@pytest.mark.parametrize("brand", [b"avis", b"mif1", b"msf1"])
def test_the_still_picture_of_any_brand_is_read(brand: bytes) -> None:
    data = _avif()
    assert np.array_equal(read_whole(data[:8] + brand + data[12:], SIZE), read_whole(data, SIZE))


def test_the_first_frame_of_an_animation_is_read() -> None:
    data = picture_bytes(photo(*SIZE), "AVIF", quality=90, save_all=True, append_images=[Image.new("RGB", SIZE)])
    assert largest_difference(read_whole(data, SIZE), np.asarray(photo(*SIZE))) < 20


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_as_its_exif_said(orientation: int) -> None:
    data, png = (picture_bytes(photo(*SIZE), kind, exif=_exif(orientation)) for kind in ("AVIF", "PNG"))
    size = SIZE if orientation < 5 else SIZE[::-1]
    assert largest_difference(read_whole(data, size), read_whole(png, size)) < 20


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_in_the_boxes_is_told_as_in_exif(orientation: int) -> None:
    assert read_container(_avif(exif=_exif(orientation))).orientation == orientation


@pytest.mark.parametrize("exif", [b"", Image.Exif().tobytes()], ids=["alone", "beside EXIF without orientation"])
def test_xmp_does_not_turn_avif(exif: bytes) -> None:
    data = _avif(exif=exif, xmp=b'<rdf:Description tiff:Orientation="6"/>')
    assert np.array_equal(read_whole(data, SIZE), read_whole(_avif(), SIZE))


def test_avif_with_alpha_is_laid_on_white() -> None:
    picture = photo(*SIZE).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(SIZE))
    wanted = read_whole(picture_bytes(picture, "PNG"), SIZE)
    assert largest_difference(read_whole(picture_bytes(picture, "AVIF", quality=95), SIZE), wanted) < 20


@needs_heif
def test_heic_is_read() -> None:
    wanted = read_whole(picture_bytes(Image.open(FIXTURES / "formats" / "heic.want.png"), "PNG"), SIZE)
    assert largest_difference(read_whole(HEIC, SIZE), wanted) <= 2


@needs_heif
def test_heic_is_turned_as_its_boxes_say() -> None:
    turned = read_whole((FIXTURES / "formats" / "turned.heic").read_bytes(), SIZE[::-1])
    assert largest_difference(turned, np.rot90(read_whole(HEIC, SIZE), -1)) <= 2


@needs_heif
def test_heic_with_alpha_is_laid_on_white() -> None:
    pixels = read_whole((FIXTURES / "formats" / "alpha.heic").read_bytes(), SIZE)
    assert pixels[0].min() > 240
    assert largest_difference(pixels[-1:], read_whole(HEIC, SIZE)[-1:]) < 40


def test_without_its_decoder_heic_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "IS_INSTALLED", False)
    with pytest.raises(UnreadableError, match=r"HEIC.*extra `heif`"):
        read(HEIC, SMALL)


@needs_heif
@pytest.mark.parametrize("data", [_avif(), HEIC], ids=["AVIF", "HEIC"])
def test_a_size_in_the_boxes_is_believed_where_it_is_too_large(data: bytes) -> None:
    with pytest.raises(TooManyPixelsError, match="60000 x 50000 pixels"):
        read(_with_size(data, 60_000, 50_000), SMALL)


@needs_heif
def test_a_size_in_the_boxes_is_not_believed_where_the_bitstream_is_larger() -> None:
    large = picture_bytes(Image.new("RGB", (600, 420)), "AVIF", speed=10)
    for kind, data in (("AVIF", _with_size(large, 32, 32)), ("HEIF", _with_size(HEIC, 8, 8))):
        header = FORMATS[kind].read_header(data)
        assert header.pixels >= (600 * 420 if kind == "AVIF" else 120 * 80)
    with pytest.raises(TooManyPixelsError, match="600 x 420"):
        read(_with_size(large, 32, 32), SMALL, Limits(max_pixels=100_000).check)


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 1000), (4097, 17)])
def test_the_frame_size_of_av1_is_that_of_the_picture(size: tuple[int, int]) -> None:
    items = read_container(picture_bytes(Image.new("RGB", size), "AVIF", speed=10)).items
    assert list(av1.frame_sizes(stream for kind, stream in items if kind == b"av01")) == [size]


def test_the_frame_size_of_hevc_covers_the_picture() -> None:
    ((width, height),) = hevc.frame_sizes(read_container(HEIC).configurations, [])
    assert 120 <= width <= 128
    assert 80 <= height <= 128


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _described(*properties: bytes, listed: bytes = b"") -> bytes:
    """An AVIF of 16 x 16 pixels, according to boxes only, whose first item is the primary one.

    Args:
        properties: further boxes of ``ipco``, one string for each ``ipco``.
        listed: the entries of ``ipma``, of 3 bytes each.
    """
    size = _box(b"ispe", bytes(4) + struct.pack(">II", 16, 16))
    boxes = b"".join(_box(b"ipco", size + more) for more in properties or (b"",))
    boxes += _box(b"ipma", bytes(4) + struct.pack(">I", len(listed) // 3) + listed)
    return _box(b"ftyp", b"avif" + bytes(4) + b"avifmif1") + _box(
        b"meta", bytes(4) + _box(b"pitm", bytes(4) + b"\0\1") + _box(b"iprp", boxes)
    )


@pytest.mark.parametrize(
    "data",
    [
        _described(listed=b"\0\2\0" * 10_001),
        _described(*[_box(b"free", b"") * 6000] * 2),
        _described(_box(b"free", b"") * 10_000),
    ],
    ids=["properties of items", "two lists of properties", "properties"],
)
def test_more_parts_than_any_encoder_writes_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError, match="too many"):
        examine(data)


def test_an_item_of_many_pieces_is_joined_once() -> None:
    pieces = struct.pack(">II", 0, 4_000_000) + struct.pack(">II", 0, 1) * 9000
    places = bytes(4) + struct.pack(">HHHHH", 0x4400, 1, 1, 0, 9001) + pieces
    head, size = _box(b"ftyp", b"avif" + bytes(8)), _box(b"ispe", bytes(4) + struct.pack(">II", 16, 16))
    described = _box(b"meta", bytes(4) + _box(b"iprp", _box(b"ipco", size)) + _box(b"iloc", places))
    started = time.thread_time()
    examine((head + described).ljust(4_100_000, b"\0"))
    assert time.thread_time() - started < 2


def test_a_file_with_many_parts_is_read() -> None:
    listed = b"\0\2\0" * 9000
    assert examine(_described(_box(b"free", b"") * 9000, listed=listed)).header.pixels == 256


@pytest.mark.parametrize(("unit", "most"), [(b"\x12\0", 10_000), (b"\x0a\x03\x18\0\x03", 1000)], ids=["all", "headers"])
def test_the_units_of_all_items_of_an_avif_are_counted_together(unit: bytes, most: int) -> None:
    streams = [unit * (most // 2)] * 2
    list(av1.frame_sizes(streams))
    with pytest.raises(UnreadableError, match="too many units"):
        list(av1.frame_sizes([*streams, unit]))


def test_the_units_of_all_items_of_a_heic_are_counted_together() -> None:
    streams = [struct.pack(">I", 0) * 5000] * 2
    list(hevc.frame_sizes([], streams))
    with pytest.raises(UnreadableError, match="too many units"):
        list(hevc.frame_sizes([], [*streams, bytes(4)]))


def test_the_parameter_sets_of_all_configurations_are_counted_together() -> None:
    configurations = read_container(HEIC).configurations * 1000
    assert len(list(hevc.frame_sizes(configurations, []))) == 1000
    with pytest.raises(UnreadableError, match="too many units"):
        list(hevc.frame_sizes([*configurations, configurations[0]], []))


@needs_heif
@pytest.mark.parametrize("data", [_avif(), HEIC], ids=["AVIF", "HEIC"])
def test_whatever_is_broken_ends_in_a_clear_error(data: bytes) -> None:
    rng = np.random.default_rng(6)
    for _ in range(150):
        broken = bytearray(data)
        for at in rng.integers(12, len(data), 3):
            broken[at] = rng.integers(0, 256)
        for sent in (bytes(broken), data[: rng.integers(12, len(data))]):
            try:
                pixels = read(sent, SMALL)
            except (UnreadableError, TooManyPixelsError):
                continue
            assert pixels.shape == SMALL.shape
