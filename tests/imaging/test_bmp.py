"""BMP with bit fields of any kind, with an empty alpha channel, and with a profile."""

import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from bench.request_bytes import picture_bytes
from imaging import TooManyPixelsError, UnreadableError
from imaging.formats import FORMATS
from imaging.formats.bmp import decode
from tests.imaging.files import largest_difference, photo, read_whole, write_bmp
from tests.imaging.test_gif import SMALL

# (dtype, masks): of 16 and 32 bits, in any order, of any width, with gaps between, with and without alpha.
_LAYOUTS = [
    ("<u2", (0x7C00, 0x3E0, 0x1F)),
    ("<u2", (0xF800, 0x7E0, 0x1F)),
    ("<u2", (0x1F, 0x7E0, 0xF800)),
    ("<u2", (0x3, 0x1C, 0xE0)),
    ("<u2", (0xF00, 0xF0, 0xF, 0xF000)),
    ("<u2", (0x7C00, 0x3E0, 0x1F, 0x8000)),
    ("<u4", (0xFF0000, 0xFF00, 0xFF)),
    ("<u4", (0xFF, 0xFF00, 0xFF0000)),
    ("<u4", (0xFF000, 0xFF0, 0xF)),
    ("<u4", (0x3FF00000, 0xFFC00, 0x3FF)),
    ("<u4", (0xFFE00000, 0x1FFC00, 0x3FF)),
    ("<u4", (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    ("<u4", (0xFF00, 0xFF0000, 0xFF000000, 0xFF)),
    ("<u4", (0xFE000000, 0x1F00000, 0xFF000, 0x7)),
]


def _words(masks: tuple[int, ...], dtype: str) -> tuple[NDArray[np.unsignedinteger], NDArray[np.float64]]:
    """(words [H, W], their channel values from 0 to 255 [H, W, C])."""
    rng = np.random.default_rng(4)
    words, shown = np.zeros((9, 13), np.uint64), []
    for mask in masks:
        shift, most = (mask & -mask).bit_length() - 1, mask >> (mask & -mask).bit_length() - 1
        values = rng.integers(0, most + 1, words.shape).astype(np.uint64)
        words |= values << np.uint64(shift)
        shown.append(values * (255 / most))
    return words.astype(dtype), np.stack(shown, axis=-1)


def _with_offset(data: bytes, offset: int) -> bytes:
    return data[:10] + struct.pack("<I", offset) + data[14:]


@pytest.mark.parametrize("header_size", [40, 52, 56, 108, 124])
@pytest.mark.parametrize(("dtype", "masks"), _LAYOUTS)
def test_bit_fields(dtype: str, masks: tuple[int, ...], header_size: int) -> None:
    words, shown = _words(masks, dtype)
    if len(masks) == 4:
        if header_size == 52:
            pytest.skip("such a header has no room for alpha")
        share = np.rint(shown[..., 3:]) / 255
        shown = shown[..., :3] * share + 255 * (1 - share)
    compression = 6 if header_size == 40 and len(masks) == 4 else 3
    data = write_bmp(words, masks, header_size=header_size, compression=compression)
    assert largest_difference(read_whole(data, (13, 9)), shown) <= 1


@pytest.mark.parametrize("header_size", [40, 124])
def test_bit_fields_without_an_offset_begin_after_the_masks(header_size: int) -> None:
    words, shown = _words((0xFF0000, 0xFF00, 0xFF), "<u4")
    data = write_bmp(words, (0xFF0000, 0xFF00, 0xFF), header_size=header_size)
    assert largest_difference(read_whole(_with_offset(data, 0), (13, 9)), shown) == 0


def test_pixels_do_not_begin_inside_the_header() -> None:
    with pytest.raises(UnreadableError, match="begin inside the header"):
        read_whole(_with_offset(picture_bytes(photo(13, 9), "BMP"), 20), (13, 9))


@pytest.mark.parametrize("alpha", [0, 200])
def test_an_alpha_channel_that_is_0_everywhere_is_none(alpha: int) -> None:
    words = np.full((4, 4), 0x102030 | alpha << 24, np.uint32)
    data = write_bmp(words, (0xFF0000, 0xFF00, 0xFF, 0xFF000000), header_size=124)
    ground = 255 * (255 - alpha) / 255 if alpha else 0
    share = alpha / 255 if alpha else 1
    wanted = np.full((4, 4, 3), np.array([0x10, 0x20, 0x30]) * share + ground)
    assert largest_difference(read_whole(data, (4, 4)), np.rint(wanted)) <= 1


def test_the_top_row_may_come_first() -> None:
    words, shown = _words((0xFF, 0xFF00, 0xFF0000), "<u4")
    data = write_bmp(words[::-1], (0xFF, 0xFF00, 0xFF0000))
    data = data[:22] + struct.pack("<i", -9) + data[26:]
    assert largest_difference(read_whole(data, (13, 9)), shown) == 0


@pytest.mark.parametrize(
    ("masks", "reason"), [((0x500000, 0xFF00, 0xFF), "gaps"), ((0xFF0000, 0xFF00, 0xFF), "wider than its words")]
)
def test_masks_that_mean_nothing_are_refused(masks: tuple[int, ...], reason: str) -> None:
    words = np.zeros((4, 4), np.uint16 if "words" in reason else np.uint32)
    with pytest.raises(UnreadableError, match=reason):
        read_whole(write_bmp(words, masks), (4, 4))


def test_truncated_bit_fields_are_refused() -> None:
    data = write_bmp(np.zeros((4, 4), np.uint32), (0xFF, 0xFF00, 0xFF0000))
    for length in (len(data) - 1, 60, 56, 30, 20):
        with pytest.raises(UnreadableError, match="broken"):
            read_whole(data[:length], (4, 4))


def test_too_many_pixels_are_told_by_the_header() -> None:
    data = picture_bytes(photo(8, 8), "BMP")
    for height in (60_000, -60_000):
        with pytest.raises(TooManyPixelsError, match="60000 x 60000"):
            read_whole(data[:18] + struct.pack("<ii", 60_000, height) + data[26:], (8, 8))


def test_an_embedded_profile_is_found() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = write_bmp(np.zeros((4, 4), np.uint32), (0xFF0000, 0xFF00, 0xFF, 0), header_size=124)
    data = data[:70] + b"DEBM" + data[74:126] + struct.pack("<II", len(data) - 14, len(profile)) + data[134:] + profile
    picture = decode(data, FORMATS["BMP"].read_header(data), SMALL)
    assert picture.info["icc_profile"] == profile


def test_what_pillow_writes_is_read_as_pillow_reads_it() -> None:
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        picture = photo(13, 9).convert(mode)
        data = picture_bytes(picture, "BMP")
        assert np.array_equal(read_whole(data, (13, 9)), np.asarray(picture.convert("RGB"))), mode
        assert isinstance(decode(data, FORMATS["BMP"].read_header(data), SMALL), Image.Image)


def test_a_file_that_ends_inside_a_header_with_a_profile_is_refused() -> None:
    data = bytearray(80)
    data[:2], data[70:74] = b"BM", b"DEBM"
    struct.pack_into("<IIIiHHI", data, 10, 138, 124, 1, 1, 1, 24, 0)
    with pytest.raises(UnreadableError, match=r"broken|truncated"):
        read_whole(bytes(data), (1, 1))
