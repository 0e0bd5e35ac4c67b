"""Run-length encoded BMPs are decoded to the same pixels as by Pillow, in a fraction of the time."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.reliability.hostile_pictures.bmp import file_of, honest
from imaging import UnreadableError
from imaging.formats import FORMATS
from tests.imaging.files import read_whole


def pillows(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("size", [(32, 32), (33, 17), (1, 1), (300, 4), (5, 64)])
def test_runs_are_laid_out_as_pillow_does(size: tuple[int, int]) -> None:
    for _, data in honest(*size):
        assert np.array_equal(read_whole(data, size), pillows(data))


@pytest.mark.parametrize(("compression", "bits"), [(1, 8), (2, 4)])
def test_runs_pixels_as_they_are_jumps_and_ends_in_any_order(compression: int, bits: int) -> None:
    random, compared = np.random.default_rng(compression), 0
    for _ in range(300):
        width, height = int(random.integers(1, 40)), int(random.integers(1, 20))
        data = file_of(width, height, compression, _codes(random, width, height, bits))
        try:
            wanted = pillows(data)
        except ValueError:  # Pillow requires the end of a line even after a jump
            continue
        assert np.array_equal(read_whole(data, (width, height)), wanted)
        compared += 1
    assert compared > 100


@pytest.mark.parametrize("codes", [b"", b"\x04\1", b"\x04\1\0\0\x04", b"\0\x08\1\2\3", b"\0\0" * 3 + b"\x03\1"])
def test_codes_that_end_before_the_picture_does_are_truncated(codes: bytes) -> None:
    with pytest.raises(UnreadableError, match="truncated"):
        read_whole(file_of(4, 4, 1, codes), (4, 4))


def test_the_end_of_the_picture_leaves_the_rest_as_it_was() -> None:
    pixels = read_whole(file_of(4, 4, 1, b"\4\7\0\1"), (4, 4))
    assert (pixels[3] == [85 ^ 7, 255 - 7, 7]).all()
    assert (pixels[:3] == [85, 255, 0]).all()


def test_without_an_offset_the_codes_begin_after_the_palette() -> None:
    for _, data in honest(33, 17):
        assert np.array_equal(read_whole(data[:10] + bytes(4) + data[14:], (33, 17)), read_whole(data, (33, 17)))


def test_its_memory_is_announced() -> None:
    data = file_of(16, 16, 1, b"\x10\1\0\0" * 16)
    assert FORMATS["BMP"].read_header(data).codec_bytes >= 2 * len(data)


def _codes(random: np.random.Generator, width: int, height: int, bits: int) -> bytes:
    """Run-length codes that fill lines in every way that the format has."""
    codes, x, y = bytearray(), 0, 0
    while y < height:
        choice, room = random.random(), width - x
        if (choice < 0.5 and room) or not x:  # Pillow skips empty lines
            length = int(random.integers(1, room + 1))
            codes += bytes((length, int(random.integers(0, 256))))
            x += length
        elif choice < 0.75 and room >= 3:
            length = int(random.integers(3, room + 1))
            content = random.integers(0, 256, (length * bits + 7) // 8, dtype=np.uint8).tobytes()
            codes += bytes((0, length)) + content + bytes(len(content) % 2)
            x += length
        elif choice < 0.8 and room > 1 and y < height - 1:
            right, up = int(random.integers(0, room)), int(random.integers(0, 2))
            codes += bytes((0, 2, right, up))
            x, y = x + right, y + up
        else:
            codes += b"\0\0"
            x, y = 0, y + 1
    return bytes(codes) + b"\0\1"
