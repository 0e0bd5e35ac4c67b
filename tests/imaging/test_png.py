"""A PNG's transparent colour is compared at the bit depth of the file (W3C PNG, 11.3.1)."""

import contextlib
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.request_bytes import picture_bytes
from imaging import TooManyPixelsError, UnreadableError
from tests.imaging.files import photo, read_whole

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
WHITE = 255


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _write(samples: NDArray[np.uint16], bits: int, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of samples [H, W, C]."""
    height, width, _ = samples.shape
    rows = samples.reshape(height, -1)
    if bits == 16:
        packed = rows.astype(">u2").view(np.uint8)
    else:
        loose = (rows[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
        packed = np.packbits(loose.reshape(height, -1), axis=1)
    stream = zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [
        _chunk(b"IHDR", head),
        *(_chunk(*chunk) for chunk in chunks),
        _chunk(b"IDAT", stream),
        _chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("garbage", [0, 1], ids=["", "unused bits set"])
def test_transparent_grey_of_any_bits(bits: int, garbage: int) -> None:
    values = np.linspace(0, (1 << bits) - 1, min(1 << bits, 64)).astype(np.uint16)
    for value in values[:: max(1, len(values) // 4)]:
        written = int(value) | (garbage << bits & 0xFFFF)
        data = _write(values.reshape(1, -1, 1), bits, GREY, (b"tRNS", struct.pack(">H", written)))
        shown = values >> 8 if bits == 16 else values * (255 // ((1 << bits) - 1))
        wanted = np.where(values == value, WHITE, shown)
        assert read_whole(data, (len(values), 1), "L")[0, :, 0].tolist() == wanted.tolist()
        assert read_whole(data, (len(values), 1), "RGB")[0, :, 1].tolist() == wanted.tolist()


def test_greys_that_differ_in_their_lower_byte_only_are_different() -> None:
    samples = np.array([0x1234, 0x1235, 0x1334], np.uint16).reshape(1, 3, 1)
    data = _write(samples, 16, GREY, (b"tRNS", struct.pack(">H", 0x1234)))
    assert read_whole(data, (3, 1), "L").ravel().tolist() == [WHITE, 0x12, 0x13]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_colour(bits: int) -> None:
    samples = np.array([[1, 2, 3], [1, 2, 4], [3, 2, 1], [0x1201, 0x3402, 0x5603]], np.uint16)
    samples = samples.reshape(1, 4, 3) & np.uint16((1 << bits) - 1)
    data = _write(samples, bits, COLOUR, (b"tRNS", struct.pack(">HHH", *samples[0, 0].tolist())))
    shown = samples >> (bits - 8)
    same = (samples == samples[0, 0]).all(axis=2, keepdims=True)
    assert np.array_equal(read_whole(data, (4, 1)), np.where(same, WHITE, shown))


def test_a_palette_with_several_alphas() -> None:
    palette, alphas = bytes([10, 20, 30, 40, 50, 60, 70, 80, 90]), bytes([0, 128])
    data = _write(np.array([[[0], [1], [2]]], np.uint16), 8, PALETTE, (b"PLTE", palette), (b"tRNS", alphas))
    seen = read_whole(data, (3, 1))[0].tolist()
    assert seen[0] == [255, 255, 255]
    assert seen[2] == [70, 80, 90]
    assert np.abs(np.array(seen[1]) - (np.array([40, 50, 60]) + 255) / 2).max() <= 1


@pytest.mark.parametrize(("colour", "channels"), [(GREY_ALPHA, 2), (COLOUR_ALPHA, 4)])
@pytest.mark.parametrize("bits", [8, 16])
def test_an_alpha_channel_is_not_overruled(colour: int, channels: int, bits: int) -> None:
    samples = np.full((1, 2, channels), (1 << bits) - 1, np.uint16)
    samples[..., :-1] = 7 << (bits - 8)
    data = _write(samples, bits, colour, (b"tRNS", struct.pack(">H", 7)))
    assert (read_whole(data, (2, 1)) == 7).all()


@pytest.mark.parametrize(
    ("colour", "chunks"),
    [
        (GREY, [(b"tRNS", b"")]),
        (GREY, [(b"tRNS", b"\0")]),
        (COLOUR, [(b"tRNS", b"\0\1")]),
        (PALETTE, [(b"tRNS", b"\0\1\2")]),
        (PALETTE, [(b"PLTE", b""), (b"tRNS", b"\0\1\2")]),
        (PALETTE, [(b"PLTE", bytes(3)), (b"tRNS", bytes(range(256)) * 9)]),
        (PALETTE, [(b"tRNS", bytes(300)), (b"PLTE", bytes(3))]),
    ],
)
def test_a_broken_transparency_ends_in_pixels_or_a_clear_error(colour: int, chunks: list[tuple[bytes, bytes]]) -> None:
    data = _write(np.zeros((2, 2, 3 if colour == COLOUR else 1), np.uint16), 8, colour, *chunks)
    with contextlib.suppress(UnreadableError):
        assert read_whole(data, (2, 2)).shape == (2, 2, 3)


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize(("colour", "bits"), [(0, 1), (0, 8), (0, 16), (2, 8), (2, 16), (3, 8), (4, 8), (6, 8)])
@pytest.mark.parametrize("level", [0, 90, 165, 255])
@pytest.mark.parametrize("size", [(16, 16), (17, 9), (16, 1), (1, 1)], ids=str)
def test_every_row_must_be_there(size: tuple[int, int], level: int, colour: int, bits: int, interlace: int) -> None:
    width, height = size
    row_bytes = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * bits
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = []
    for left, top, across, down in passes if interlace else [(0, 0, 1, 1)]:
        columns = len(range(left, width, across))
        rows += [b"\0" + bytes([level]) * (columns * row_bytes + 7 >> 3)] * (
            len(range(top, height, down)) * (columns > 0)
        )
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace))
    head = b"\x89PNG\r\n\x1a\n" + head + _chunk(b"PLTE", bytes(768)) * (colour == PALETTE)
    whole, short = (
        head + _chunk(b"IDAT", zlib.compress(b"".join(part))) + _chunk(b"IEND", b"") for part in (rows, rows[:-1])
    )
    assert read_whole(whole, size).shape == (height, width, 3)
    with pytest.raises(UnreadableError, match="truncated"):
        read_whole(short, size)


def test_a_png_that_xcode_changed_is_named() -> None:
    plain = picture_bytes(photo(8, 8), "PNG")
    with pytest.raises(UnreadableError, match=r"changed for iOS apps .CgBI.*send the original"):
        read_whole(plain[:8] + b"\0\0\0\4CgBI\x50\0\x20\x02\x2b\xd5\xb3\x7f" + plain[8:], (8, 8))


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_colour_space_of_too_few_bytes_is_passed_over(length: int) -> None:
    samples = np.array([[[10, 20, 30]]], np.uint16)
    data = _write(samples, 8, COLOUR, (b"cICP", bytes((12, 13, 0, 1))[:length]))  # of the primaries of Display P3
    assert read_whole(data, (1, 1)).tolist() == samples.tolist()


@pytest.mark.parametrize("size", [(1, 262_145), (262_145, 1)], ids=str)
def test_a_side_that_is_too_long_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(TooManyPixelsError, match="at most 262144 are allowed on a side"):
        read_whole(picture_bytes(Image.new("L", size), "PNG"), (8, 8))
