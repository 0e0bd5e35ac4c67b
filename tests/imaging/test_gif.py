"""The first frame of a GIF, as browsers show it."""

import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from imaging import Target, TooManyPixelsError, UnreadableError, read
from imaging.formats import FORMATS
from tests.imaging.files import photo, read_whole

SMALL = Target(8, 8, "RGB", "stretch", light_on_dark=False)


def _moved(data: bytes, canvas: tuple[int, int], left: int, top: int) -> bytes:
    """The same frame at another place, on a canvas of another size."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at] != ord(","):
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    place = left.to_bytes(2, "little") + top.to_bytes(2, "little")
    size = canvas[0].to_bytes(2, "little") + canvas[1].to_bytes(2, "little")
    return data[:6] + size + data[10 : at + 1] + place + data[at + 5 :]


@pytest.mark.parametrize("mode", ["P", "L"])
@pytest.mark.parametrize("has_transparency", [False, True])
def test_what_the_first_frame_does_not_cover_is_white(mode: str, *, has_transparency: bool) -> None:
    picture = photo(20, 14).convert("L") if mode == "L" else photo(20, 14).quantize(64)
    options = {"transparency": 3} if has_transparency else {}
    data = _moved(picture_bytes(picture, "GIF", **options), (40, 30), 9, 11)
    wanted = np.full((30, 40, 3), 255, np.uint8)
    shown = np.asarray(picture.convert("RGB")).copy()
    if has_transparency:
        shown[np.asarray(picture) == 3] = 255
    wanted[11:25, 9:29] = shown
    assert np.array_equal(read_whole(data, (40, 30)), wanted)


def test_a_frame_that_stands_out_of_the_canvas_enlarges_it() -> None:
    data = _moved(picture_bytes(photo(20, 14).quantize(64), "GIF"), (10, 10), 5, 0)
    assert FORMATS["GIF"].read_header(data)[:3] == ("GIF", 25, 14)
    assert (read_whole(data, (25, 14))[:, :5] == 255).all()


@pytest.mark.parametrize(("canvas", "left"), [((60_000, 50_000), 0), ((10, 10), 65_000)])
def test_too_many_pixels_are_told_before_anything_is_decoded(canvas: tuple[int, int], left: int) -> None:
    data = _moved(picture_bytes(photo(20, 14).quantize(64), "GIF"), canvas, left, left)
    with pytest.raises(TooManyPixelsError, match="at most 25000000"):
        read(data, SMALL)


def test_without_a_frame_there_is_no_picture() -> None:
    data = picture_bytes(Image.new("P", (8, 8)), "GIF")
    for broken in (data[:13] + b";", data[:13], data[:9], data[:13] + b"!\xfe" + b"\x01a" * 30_000):
        with pytest.raises(UnreadableError, match=r"header is broken|holds no frame"):
            read(broken, SMALL)
