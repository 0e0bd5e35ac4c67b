"""TIFF pictures in YCbCr with fewer samples of colour than of brightness."""

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imaging import UnreadableError
from tests.imaging.files import largest_difference, read_whole, write_tiff


def _subsampled(picture: NDArray[np.uint8], across: int, down: int) -> bytes:
    """The units of a YCbCr picture, [H, W, 3], whose colours are sampled once for several pixels (TIFF 6.0, 21)."""
    units = bytearray()
    for top in range(0, len(picture), down):
        for left in range(0, picture.shape[1], across):
            unit = picture[top : top + down, left : left + across]
            units += unit[..., 0].tobytes() + unit[0, 0, 1:].tobytes()
    return bytes(units)


@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "deflate"])
@pytest.mark.parametrize("rows", [32, 8])
@pytest.mark.parametrize(("factors", "is_declared"), [((1, 1), True), ((2, 1), True), ((2, 2), True), ((2, 2), False)])
def test_ycbcr_with_fewer_colours(factors: tuple[int, int], rows: int, compression: int, *, is_declared: bool) -> None:
    picture = Image.linear_gradient("L").resize((48, 32))
    ycbcr = np.asarray(Image.merge("YCbCr", (picture, Image.new("L", (48, 32), 90), Image.new("L", (48, 32), 200))))
    tags = {256: [48], 257: [32], 258: [8] * 3, 259: [compression], 262: [6], 277: [3], 278: [rows]}
    tags |= {530: list(factors)} if is_declared else {}
    strips = [_subsampled(ycbcr[top : top + rows], *factors) for top in range(0, 32, rows)]
    strips = [zlib.compress(strip) for strip in strips] if compression == 8 else strips
    data = write_tiff(tags, strips) + bytes(9000)  # as if a second picture followed
    wanted = np.asarray(Image.fromarray(ycbcr, "YCbCr").convert("RGB"))
    assert largest_difference(read_whole(data, (48, 32)), wanted) <= 2


@pytest.mark.parametrize("is_tiled", [False, True], ids=["strips", "tiles"])
@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "deflate"])
def test_truncated_ycbcr_is_refused(compression: int, *, is_tiled: bool) -> None:
    tags = {256: [48], 257: [32], 258: [8] * 3, 259: [compression], 262: [6], 277: [3]}
    tags |= {322: [48], 323: [16]} if is_tiled else {278: [16]}
    whole, cut = bytes(16 * 48 * 3 // 2), bytes(5)
    whole, cut = (zlib.compress(whole), zlib.compress(cut)) if compression == 8 else (whole, cut)
    assert read_whole(write_tiff(tags, [whole, whole], is_tiled=is_tiled), (48, 32)).shape == (32, 48, 3)
    with pytest.raises(UnreadableError, match="truncated"):
        read_whole(write_tiff(tags, [whole, cut], is_tiled=is_tiled), (48, 32))


@pytest.mark.parametrize("changes", [{530: [3, 1]}, {258: [16] * 3}, {284: [2], 530: [2, 2]}, {266: [2]}], ids=str)
def test_uncompressed_ycbcr_of_other_layouts_is_named(changes: dict[int, list[int]]) -> None:
    tags = {256: [16], 257: [16], 258: [8] * 3, 259: [1], 262: [6], 277: [3], 278: [16]} | changes
    with pytest.raises(UnreadableError, match=r"layout is not read .*photometric interpretation 6"):
        read_whole(write_tiff(tags, [bytes(2000)] * (3 if 284 in changes else 1)), (16, 16))


def test_tiles_of_uncompressed_ycbcr_do_not_take_more_memory_than_their_file() -> None:
    tags = {256: [16], 257: [1024], 258: [8] * 3, 259: [1], 262: [6], 277: [3], 322: [1024], 323: [16]}
    data = write_tiff(tags, [bytes(1024 * 16 * 3 // 2), *[b""] * 62, bytes(1024 * 16 * 3 // 2)], is_tiled=True)
    with pytest.raises(UnreadableError, match="overlap"):
        read_whole(data, (16, 1024))
