"""What a TIFF's directory says is known before any pixel is decoded, and what is not needed of it is passed over."""

import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from imaging import Limits, Target, TooManyPixelsError, examine
from imaging.formats import FORMATS
from imaging.formats.tiff_directory import Directory
from tests.imaging.files import read_whole, write_tiff

RGB = 2


def test_only_the_first_picture_and_the_tags_of_its_pixels_reach_the_codec() -> None:
    pages = [Image.new("L", (40, 30), 90), Image.new("L", (900, 900), 10)]
    data = picture_bytes(pages[0], "TIFF", save_all=True, append_images=pages[1:], description="x" * 5000)
    assert FORMATS["TIFF"].read_header(data)[:3] == ("TIFF", 40, 30)
    assert (read_whole(data, (40, 30), "L") == 90).all()


@pytest.mark.parametrize("is_big", [False, True])
def test_too_many_pixels_are_told_by_the_directory(*, is_big: bool) -> None:
    tags = {256: [60_000], 257: [50_000], 258: [8], 259: [1], 262: [1], 277: [1], 278: [50_000]}
    data = write_tiff(tags, [b"\0"], is_big=is_big)
    with pytest.raises(TooManyPixelsError, match="60000 x 50000"):
        Limits().check(FORMATS["TIFF"].read_header(data), Target(8, 8, "L", "stretch", light_on_dark=False))


def test_a_size_that_no_classic_tiff_can_hold_is_told_by_the_directory() -> None:
    tags = {256: [65535], 257: [65535], 258: [8], 259: [1], 262: [RGB], 277: [3], 278: [4096]}
    with pytest.raises(TooManyPixelsError, match="65535 x 65535"):
        read_whole(write_tiff(tags, [b""] * 16), (8, 8))


@pytest.mark.parametrize("tag", [258, 338, 339], ids=["bits", "extra samples", "sample format"])
def test_no_more_values_than_samples_are_unpacked(tag: int) -> None:
    values = {258: 8, 338: 0, 339: 1}
    tags = {256: [4], 257: [1], 258: [8], 259: [1], 262: [1], 277: [1], 278: [1]} | {tag: [values[tag]] * 100_000}
    assert len(Directory.of(write_tiff(tags, [bytes(4)])).values(tag)) == 16


def test_the_strips_of_a_picture_in_tiles_are_passed_over() -> None:
    tags = {256: [16], 257: [16], 258: [8], 259: [1], 262: [1], 277: [1], 322: [16], 323: [16], 273: [8] * 5000}
    data = write_tiff(tags, [bytes(range(256))], is_tiled=True)
    assert Directory.of(examine(data).cost.data).values(273) == ()
    assert read_whole(data, (16, 16), "L").ravel().tolist() == list(range(256))


def test_tags_that_point_at_the_same_bytes_are_not_read_again_and_again() -> None:
    data = write_tiff({256: [8], 257: [8], 258: [8], 259: [1], 262: [1], 700: [65536] * 16_000}, [bytes(64)])
    assert (read_whole(data, (8, 8), "L") == 0).all()
