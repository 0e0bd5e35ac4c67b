"""AVIF and HEIC: read, rotated, kept within the limits even if their boxes lie, and named where unreadable."""

from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from imaging import Limits, Target, TooManyPixelsError, UnreadableError, read
from imaging.formats import FORMATS, av1, heif, hevc
from imaging.formats.boxes import read_container
from tests.imaging.files import encode, largest_difference, photo, read_whole
from tests.process import FIXTURES

HEIC = (FIXTURES / "formats" / "photo.heic").read_bytes()
SIZE = (120, 80)
SMALL = Target(8, 8, "RGB", "stretch", light_on_dark=False)

needs_heif = pytest.mark.skipif(find_spec("pi_heif") is None, reason="the extra `heif` is not installed")


def _avif(width: int = 120, height: int = 80, **options: object) -> bytes:
    return encode(photo(width, height), "AVIF", quality=90, **options)


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
    data = encode(photo(*SIZE), "AVIF", quality=90, save_all=True, append_images=[Image.new("RGB", SIZE)])
    assert largest_difference(read_whole(data, SIZE), np.asarray(photo(*SIZE))) < 20


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_as_its_exif_said(orientation: int) -> None:
    data, png = (encode(photo(*SIZE), kind, exif=_exif(orientation)) for kind in ("AVIF", "PNG"))
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
    wanted = read_whole(encode(picture, "PNG"), SIZE)
    assert largest_difference(read_whole(encode(picture, "AVIF", quality=95), SIZE), wanted) < 20


@needs_heif
def test_heic_is_read() -> None:
    wanted = read_whole(encode(Image.open(FIXTURES / "formats" / "heic.want.png"), "PNG"), SIZE)
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
    large = encode(Image.new("RGB", (600, 420)), "AVIF", speed=10)
    for kind, data in (("AVIF", _with_size(large, 32, 32)), ("HEIF", _with_size(HEIC, 8, 8))):
        header = FORMATS[kind].read_header(data)
        assert header.pixels >= (600 * 420 if kind == "AVIF" else 120 * 80)
    with pytest.raises(TooManyPixelsError, match="600 x 420"):
        read(_with_size(large, 32, 32), SMALL, Limits(max_pixels=100_000).check)


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 1000), (4097, 17)])
def test_the_frame_size_of_av1_is_that_of_the_picture(size: tuple[int, int]) -> None:
    items = read_container(encode(Image.new("RGB", size), "AVIF", speed=10)).items
    assert [list(av1.frame_sizes(stream)) for kind, stream in items if kind == b"av01"] == [[size]]


def test_the_frame_size_of_hevc_covers_the_picture() -> None:
    (configuration,) = read_container(HEIC).configurations
    ((width, height),) = hevc.frame_sizes_of_configuration(configuration)
    assert 120 <= width <= 128
    assert 80 <= height <= 128


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
