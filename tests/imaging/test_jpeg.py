"""JPEG: decoded at a reduced size where that is enough, and read where only the end marker is missing."""

import contextlib
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from imaging import Limits, Target, TooManyPixelsError, UnreadableError, decoded_bytes, read
from imaging.formats import FORMATS
from tests.imaging.files import photo, read_whole
from tests.process import FIXTURES

SMALL = Target(32, 32, "RGB", "cover", light_on_dark=False)
LARGE = Target(224, 224, "RGB", "cover", light_on_dark=False)
END = b"\xff\xd9"

_KINDS = {
    "baseline": {},
    "4:4:4": {"subsampling": 0},
    "quality 98": {"quality": 98},
    "restarts": {"restart_marker_blocks": 2},
    "progressive": {"progressive": True},
    "progressive 4:4:4": {"progressive": True, "subsampling": 0},
}


def _grainy(width: int, height: int) -> Image.Image:
    grain = np.random.default_rng(1).integers(-30, 31, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(photo(width, height)) + grain, 0, 255).astype(np.uint8))


def _pad(data: bytes, count: int) -> bytes:
    """The same picture, with comments before its frame."""
    comments = b""
    while count > 4:
        length = min(count - 2, 0xFFFF)
        comments += b"\xff\xfe" + length.to_bytes(2) + bytes(length - 2)
        count -= length + 2
    return data[:2] + comments + data[2:]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("kind", _KINDS)
def test_a_missing_end_marker_is_forgiven(kind: str, mode: str) -> None:
    data = picture_bytes(_grainy(75, 50).convert(mode), "JPEG", **_KINDS[kind])
    assert data.endswith(END)
    wanted = read_whole(data, (75, 50))
    assert np.array_equal(read_whole(data[:-2], (75, 50)), wanted)
    assert np.array_equal(read_whole(data[:-1], (75, 50)), wanted)


@pytest.mark.parametrize("kind", _KINDS)
def test_missing_pixels_are_not(kind: str) -> None:
    data = picture_bytes(_grainy(75, 50), "JPEG", **_KINDS[kind])
    scan = data.rindex(b"\xff\xda")
    for missing in (4, 5, 8, 11, 20, 100, (len(data) - scan) // 2, len(data) - scan - 20):
        with pytest.raises(UnreadableError, match="truncated"):
            read_whole(data[:-missing], (75, 50))


@pytest.mark.parametrize(
    "options",
    [
        {"restart_marker_blocks": 1},
        {"restart_marker_blocks": 3},
        {"restart_marker_rows": 1},
        {"restart_marker_rows": 1, "progressive": True},
    ],
    ids=str,
)
def test_nowhere_between_its_restarts_is_a_picture_whole(options: dict[str, Any]) -> None:
    data = picture_bytes(_grainy(75, 50), "JPEG", **options)
    scan = data.rindex(b"\xff\xda")
    cuts = [at for at in range(scan + 20, len(data) - 4) if data[at] == 0xFF or data[at - 1] == 0xFF]
    assert len(cuts) > 4
    for cut in cuts:
        with pytest.raises(UnreadableError, match="truncated"):
            read_whole(data[:cut], (75, 50))


@pytest.mark.parametrize("kind", _KINDS)
def test_missing_pixels_are_not_where_the_picture_is_decoded_at_a_reduced_size(kind: str) -> None:
    whole = picture_bytes(_grainy(520, 640), "JPEG", **_KINDS[kind])
    assert np.abs(read(whole[:-2], SMALL).astype(int) - read(whole, SMALL)).max() <= 3
    for share in (0.3, 0.5, 0.9, 0.99):
        with pytest.raises(UnreadableError, match="truncated"):
            read(whole[: int(share * len(whole))], SMALL)


def test_a_progressive_picture_without_its_last_scan_is_truncated() -> None:
    data = picture_bytes(_grainy(75, 50), "JPEG", progressive=True)
    last_scan = data.rindex(b"\xff\xda")
    tables = data.rindex(b"\xff\xc4", 0, last_scan)
    for cut in (last_scan, tables):
        with pytest.raises(UnreadableError, match="truncated"):
            read_whole(data[:cut], (75, 50))


@pytest.mark.parametrize("name", ["arithmetic.jpg", "arithmetic_progressive.jpg"])
def test_arithmetic_coding_is_read_in_one_piece(name: str) -> None:
    data = (FIXTURES / "formats" / name).read_bytes()
    scan = data.index(b"\xff\xda")
    middle = scan + (len(data) - scan) // 2
    long = _pad(data, 65536 - middle)  # a codec that reads 64 KiB at a time would stop within the scan
    assert np.array_equal(read_whole(long, (96, 64)), read_whole(data, (96, 64)))


@pytest.fixture(scope="module")
def fifty_megapixels() -> bytes:
    """A baseline JPEG in one scan, as large as a phone's picture."""
    return picture_bytes(Image.new("RGB", (8160, 6120), (200, 90, 40)), "JPEG", quality=50)


@pytest.mark.parametrize("target", [SMALL, LARGE], ids=["32", "224"])
def test_a_baseline_picture_of_50_megapixels_is_read_at_a_reduced_size(fifty_megapixels: bytes, target: Target) -> None:
    pixels = read(fifty_megapixels, target)
    assert np.abs(pixels.astype(int) - (200, 90, 40)).max() <= 4
    header = FORMATS["JPEG"].read_header(fifty_megapixels)
    assert header.is_reducible
    assert decoded_bytes(header, target) < 20_000_000


def _of_size(data: bytes, width: int, height: int) -> bytes:
    """The same file with a wrong size in its frame header."""
    at = next(data.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2", b"\xff\xc9", b"\xff\xca") if marker in data)
    return data[: at + 5] + height.to_bytes(2) + width.to_bytes(2) + data[at + 9 :]


def test_other_pictures_of_50_megapixels_are_too_large() -> None:
    progressive = picture_bytes(photo(64, 64), "JPEG", progressive=True)
    arithmetic = (FIXTURES / "formats" / "arithmetic.jpg").read_bytes()
    for data in (_of_size(progressive, 8160, 6120), _of_size(arithmetic, 8160, 6120)):
        with pytest.raises(TooManyPixelsError, match="8160 x 6120 pixels; at most 25000000"):
            read(data, SMALL)
    baseline = picture_bytes(photo(64, 64), "JPEG")
    with pytest.raises(TooManyPixelsError, match="9000 x 6000 pixels; at most 52000000"):
        read(_of_size(baseline, 9000, 6000), SMALL)
    with pytest.raises(TooManyPixelsError, match="50000 x 600 pixels; at most 25000000"):  # too narrow to be reduced
        read(_of_size(baseline, 50_000, 600), LARGE)
    with pytest.raises(TooManyPixelsError, match="8160 x 6120"):  # a model that needs full decoding
        read(_of_size(baseline, 8160, 6120), Target(32, 32, "RGB", "cover", light_on_dark=False, is_reduced=False))


def test_the_reduced_size_is_within_the_limit_too() -> None:
    header = FORMATS["JPEG"].read_header(_of_size(picture_bytes(photo(64, 64), "JPEG"), 8000, 6000))
    Limits(max_pixels=800_000).check(header, SMALL)
    with pytest.raises(TooManyPixelsError):
        Limits(max_pixels=700_000).check(header, SMALL)
    with pytest.raises(TooManyPixelsError):
        Limits(max_pixels=800_000, max_reducible_pixels=40_000_000).check(header, SMALL)


@pytest.mark.parametrize("size", [(640, 480), (1601, 1203), (2000, 300)])
def test_a_reduced_picture_looks_like_the_whole_one(size: tuple[int, int]) -> None:
    picture = photo(*size)
    reduced = read(picture_bytes(picture, "JPEG", quality=95, subsampling=0), LARGE)
    assert np.abs(reduced.astype(int) - read(picture_bytes(picture, "PNG"), LARGE)).max() <= 6


@pytest.mark.parametrize(
    ("marker", "bits", "name"),
    [
        (0xC3, 8, "a lossless JPEG"),
        (0xC5, 8, "a hierarchical JPEG"),
        (0xF7, 8, "a JPEG-LS picture"),
        (0xC1, 12, "a JPEG of 12 bits"),
    ],
)
def test_the_jpegs_that_are_not_read_are_named(marker: int, bits: int, name: str) -> None:
    data = bytearray(picture_bytes(photo(16, 16), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    with pytest.raises(UnreadableError, match=f"it is {name}.*not read; save it"):
        read_whole(bytes(data), (16, 16))


@pytest.mark.parametrize("marker", [b"\xff\xd0", b"\xff\x01", b"\xff\xc4\0\0"], ids=["restarts", "TEM", "tables"])
def test_a_file_without_its_end_is_not_searched_marker_by_marker(marker: bytes) -> None:
    data = picture_bytes(Image.new("L", (64, 64)), "JPEG")
    frame, scan = data.index(b"\xff\xc0") + 5, data.index(b"\xff\xda")
    head = data[:frame] + (5000).to_bytes(2) * 2 + data[frame + 4 : scan + 2 + data[scan + 3]]
    started = time.thread_time()
    with contextlib.suppress(UnreadableError):
        read(head + marker * ((8 << 20) // len(marker)) + b"\1\1", SMALL)
    assert time.thread_time() - started < 0.4
