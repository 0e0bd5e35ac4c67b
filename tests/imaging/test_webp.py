"""WebP: the first frame of an animation, as browsers show it, and sizes that are read before the codec is called."""

import struct

import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from imaging import Target, TooManyPixelsError, UnreadableError, read
from imaging.formats import FORMATS
from tests.imaging.files import largest_difference, photo, read_whole

SMALL = Target(8, 8, "RGB", "stretch", light_on_dark=False)
ANIMATION, ALPHA, EXIF, XMP = 0x02, 0x10, 0x08, 0x04


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(3, "little") for value in values)


def _animation(
    still: bytes, size: tuple[int, int], place: tuple[int, int], canvas: tuple[int, int], flags: int
) -> bytes:
    """An animation of one frame at some place on its canvas, with a red background colour."""
    head = bytes([flags, 0, 0, 0]) + _numbers(canvas[0] - 1, canvas[1] - 1)
    frame = _numbers(place[0] // 2, place[1] // 2, size[0] - 1, size[1] - 1, 100) + b"\0" + still[12:]
    chunks = _chunk(b"VP8X", head) + _chunk(b"ANIM", b"\0\0\xff\xff\0\0") + _chunk(b"ANMF", frame)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


@pytest.mark.parametrize("flags", [ANIMATION, ANIMATION | ALPHA], ids=["without alpha", "with alpha"])
def test_what_the_first_frame_does_not_cover_is_white(flags: int) -> None:
    picture = photo(20, 14)
    data = _animation(picture_bytes(picture, "WEBP", lossless=True), (20, 14), (8, 6), (40, 30), flags)
    wanted = np.full((30, 40, 3), 255, np.uint8)
    wanted[6:20, 8:28] = np.asarray(picture)
    assert np.array_equal(read_whole(data, (40, 30)), wanted)


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exact": True, "lossless": True}])
@pytest.mark.parametrize("size", [(1, 1), (33, 17), (300, 2)])
def test_the_size_is_read_from_each_kind_of_header(options: dict[str, object], size: tuple[int, int]) -> None:
    for picture in (photo(*size), photo(*size).convert("RGBA")):
        header = FORMATS["WEBP"].read_header(picture_bytes(picture, "WEBP", **options))
        assert (header.width, header.height) == size


@pytest.mark.parametrize("lossless", [False, True])
def test_too_many_pixels_are_told_by_every_kind_of_header(*, lossless: bool) -> None:
    still = picture_bytes(photo(16, 16), "WEBP", lossless=lossless)
    film = _animation(still, (16, 16), (0, 0), (16_000, 16_000), ANIMATION)
    if lossless:
        large = still[:21] + struct.pack("<I", 15_999 | 15_999 << 14) + still[25:]
    else:
        large = still[:26] + struct.pack("<HH", 16_000, 16_000) + still[30:]
    for data in (film, large):
        with pytest.raises(TooManyPixelsError, match="16000 x 16000"):
            read(data, SMALL)


@pytest.mark.parametrize("kind", ["exif", "xmp"])
def test_exif_and_xmp_count_only_where_the_header_declares_them(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    about = {"exif": exif} if kind == "exif" else {"xmp": b'<rdf:Description tiff:Orientation="6"/>'}
    data = bytearray(picture_bytes(photo(30, 20), "WEBP", lossless=True, **about))
    assert np.array_equal(read_whole(bytes(data), (20, 30)), np.rot90(np.asarray(photo(30, 20)), -1))
    data[20] &= ~(EXIF | XMP)
    assert np.array_equal(read_whole(bytes(data), (30, 20)), np.asarray(photo(30, 20)))


def test_a_truncated_file_says_so() -> None:
    data = picture_bytes(photo(64, 64), "WEBP")
    for length in (len(data) - 2, len(data) // 2, 40):
        with pytest.raises(UnreadableError, match=rf"truncated or broken \(it has {length} of {len(data)} bytes\)"):
            read(data[:length], SMALL)


def test_a_film_is_seen_by_its_first_frame() -> None:
    data = picture_bytes(photo(32, 32), "WEBP", lossless=True, save_all=True, append_images=[photo(32, 32).rotate(90)])
    assert largest_difference(read_whole(data, (32, 32)), np.asarray(photo(32, 32))) == 0
