from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.picture import PictureRule
from training.errors import DataError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def test_cover_turns_lays_on_white_and_crops(tmp_path: Path) -> None:
    wide = np.zeros((20, 60, 4), np.uint8)
    wide[:, 20:40] = (255, 0, 0, 255)  # an opaque red middle between transparent sides
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn a quarter
    Image.fromarray(wide).save(tmp_path / "a.png", exif=exif)
    square = PictureRule(10, 10, "RGB", fit="cover", polarity="any").read(tmp_path / "a.png")
    # The filter lets a little of the white beside the crop into its border.
    np.testing.assert_array_equal(square[1:-1, 1:-1], np.broadcast_to(np.uint8(RED), (8, 8, 3)))
    assert square[..., 1].max() < 64
    tall = PictureRule(30, 10, "RGB", fit="stretch", polarity="any").read(tmp_path / "a.png")
    np.testing.assert_array_equal(tall[0, 0], WHITE)
    np.testing.assert_array_equal(tall[15, 5], RED)


def test_contain_pads_with_black(tmp_path: Path) -> None:
    Image.new("L", (40, 20), 200).save(tmp_path / "a.png")
    pixels = PictureRule(20, 20, "L", fit="contain", polarity="any").read(tmp_path / "a.png")
    assert pixels.shape == (20, 20, 1)
    assert (pixels[5:15] == 200).all()
    assert (pixels[:5] == 0).all()
    assert (pixels[15:] == 0).all()


@pytest.mark.parametrize("ground", [0, 255])
def test_dark_strokes_on_a_light_ground_are_inverted(tmp_path: Path, ground: int) -> None:
    digit = np.full((28, 28), ground, np.uint8)
    digit[10:18, 10:18] = 255 - ground
    Image.fromarray(digit).save(tmp_path / "a.png")
    pixels = PictureRule(28, 28, "L", fit="contain", polarity="light-on-dark").read(tmp_path / "a.png")
    assert pixels[0, 0, 0] == 0
    assert pixels[14, 14, 0] == 255


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:60])
    with pytest.raises(DataError, match=r"a.png is not a picture that can be read"):
        PictureRule(10, 10, "RGB", fit="cover", polarity="any").read(tmp_path / "a.png")
