import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.decoding import Decoder, DecodeThreads, Target, Upload
from service.http.body_budget import BodyBudget
from training.data.picture import PictureRule
from training.errors import DataError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def test_cover_turns_lays_on_white_and_crops(tmp_path: Path) -> None:
    wide = np.zeros((20, 60, 4), np.uint8)
    wide[:, 20:40] = (255, 0, 0, 255)  # an opaque red middle between transparent sides
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees
    Image.fromarray(wide).save(tmp_path / "a.png", exif=exif)
    square = PictureRule(10, 10, "RGB", fit="cover", polarity="any").read(tmp_path / "a.png").pixels
    # The filter lets a little of the white beside the crop into its border.
    np.testing.assert_array_equal(square[1:-1, 1:-1], np.broadcast_to(np.uint8(RED), (8, 8, 3)))
    assert square[..., 1].max() < 64
    tall = PictureRule(30, 10, "RGB", fit="stretch", polarity="any").read(tmp_path / "a.png").pixels
    np.testing.assert_array_equal(tall[0, 0], WHITE)
    np.testing.assert_array_equal(tall[15, 5], RED)


def test_contain_pads_with_black(tmp_path: Path) -> None:
    Image.new("L", (40, 20), 200).save(tmp_path / "a.png")
    pixels = PictureRule(20, 20, "L", fit="contain", polarity="any").read(tmp_path / "a.png").pixels
    assert pixels.shape == (20, 20, 1)
    assert (pixels[5:15] == 200).all()
    assert (pixels[:5] == 0).all()
    assert (pixels[15:] == 0).all()


@pytest.mark.parametrize("ground", [0, 255])
def test_dark_strokes_on_a_light_ground_are_inverted(tmp_path: Path, ground: int) -> None:
    digit = np.full((28, 28), ground, np.uint8)
    digit[10:18, 10:18] = 255 - ground
    Image.fromarray(digit).save(tmp_path / "a.png")
    pixels = PictureRule(28, 28, "L", fit="contain", polarity="light-on-dark").read(tmp_path / "a.png").pixels
    assert pixels[0, 0, 0] == 0
    assert pixels[14, 14, 0] == 255


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:60])
    with pytest.raises(DataError, match=r"a.png is not a picture that can be read"):
        PictureRule(10, 10, "RGB", fit="cover", polarity="any").read(tmp_path / "a.png")


def _serve(data: bytes, rule: PictureRule) -> np.ndarray:
    target = Target(rule.height, rule.width, rule.color_mode, rule.fit, light_on_dark=rule.polarity == "light-on-dark")
    with DecodeThreads(1) as threads:
        decoder = Decoder(
            max_pixels=1 << 22, loop_work_s=1e-3, threads=threads, children=None, budget=BodyBudget(1 << 30)
        )
        return decoder.decode_now([Upload(data)], target)[0]


@pytest.mark.parametrize(
    "rule",
    [
        PictureRule(32, 32, "RGB", fit="cover", polarity="any"),
        PictureRule(24, 40, "RGB", fit="stretch", polarity="any"),
        PictureRule(28, 28, "L", fit="contain", polarity="light-on-dark"),
    ],
    ids=lambda rule: f"{rule.fit} {rule.color_mode}",
)
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "I;16", "RGBA", "LA", "CMYK", "YCbCr", "LAB"])
@pytest.mark.parametrize("size", [(32, 32), (28, 28), (90, 41), (13, 200), (3, 2)])
def test_a_picture_is_learnt_from_as_it_is_served(
    tmp_path: Path, rule: PictureRule, mode: str, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(5)
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65536, size[::-1], np.uint16))
    else:
        bands = len(Image.new(mode, (1, 1)).getbands())
        noise = rng.integers(0, 256, (*size[::-1], 3 if mode in {"P", "1", "LAB"} else bands), np.uint8)
        flat = noise[..., 0] if noise.shape[2] == 1 else noise
        picture = Image.fromarray(flat, mode="LAB" if mode == "LAB" else None)
        picture = picture if picture.mode == mode else picture.convert(mode)
    file = io.BytesIO()
    picture.save(file, "PNG" if mode in {"RGB", "L", "P", "1", "I;16", "RGBA", "LA"} else "TIFF")
    (tmp_path / "a").write_bytes(file.getvalue())
    np.testing.assert_array_equal(rule.read(tmp_path / "a").pixels, _serve(file.getvalue(), rule))


def _photo(width: int, height: int) -> Image.Image:
    """Smooth colours with grain, so that reading a JPEG at full size and at half of it differ."""
    rng = np.random.default_rng(7)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((width, height))
    grain = rng.integers(-20, 21, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse).astype(int) + grain, 0, 255).astype(np.uint8))


def _turned(picture: Image.Image) -> dict[str, object]:
    exif = picture.getexif()
    exif[0x0112] = 6
    return {"exif": exif}


def _deep(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


_KINDS: dict[str, tuple[Callable[[Image.Image], Image.Image], str, dict[str, object]]] = {
    "PNG": (lambda picture: picture, "PNG", {}),
    "JPEG": (lambda picture: picture, "JPEG", {"quality": 90}),
    "JPEG, progressive": (lambda picture: picture, "JPEG", {"progressive": True}),
    "JPEG, grey": (lambda picture: picture.convert("L"), "JPEG", {}),
    "JPEG, CMYK": (lambda picture: picture.convert("CMYK"), "JPEG", {}),
    "WebP": (lambda picture: picture, "WEBP", {}),
    "BMP": (lambda picture: picture, "BMP", {}),
    "GIF": (lambda picture: picture.quantize(64), "GIF", {}),
    "TIFF": (lambda picture: picture, "TIFF", {"compression": "tiff_lzw"}),
    "PNG, 16 bits": (_deep, "PNG", {}),
    "TIFF, 16 bits": (_deep, "TIFF", {}),
    "PNG, alpha": (lambda picture: Image.merge("RGBA", (*picture.split(), picture.convert("L"))), "PNG", {}),
}


@pytest.mark.parametrize("size", [(640, 480), (300, 1100)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("turned", [False, True], ids=["upright", "turned"])
@pytest.mark.parametrize("kind", _KINDS)
def test_every_format_is_learnt_from_as_it_is_served(
    tmp_path: Path, kind: str, size: tuple[int, int], *, turned: bool
) -> None:
    rule = PictureRule(32, 32, "RGB", fit="cover", polarity="any")
    stored, encoder, options = _KINDS[kind]
    picture = stored(_photo(*size))
    if turned and encoder in {"PNG", "JPEG", "WEBP", "TIFF"}:
        options = options | _turned(picture)
    file = io.BytesIO()
    picture.save(file, encoder, **options)
    (tmp_path / "a").write_bytes(file.getvalue())
    np.testing.assert_array_equal(rule.read(tmp_path / "a").pixels, _serve(file.getvalue(), rule))


def test_a_large_photograph_is_learnt_from_at_the_reduced_size_that_is_served(tmp_path: Path) -> None:
    _photo(1600, 1200).save(tmp_path / "a.jpg", quality=90)
    rule = PictureRule(32, 32, "RGB", fit="stretch", polarity="any")
    learnt = rule.read(tmp_path / "a.jpg").pixels
    np.testing.assert_array_equal(learnt, _serve((tmp_path / "a.jpg").read_bytes(), rule))
    with Image.open(tmp_path / "a.jpg") as whole:
        in_full = np.asarray(whole.resize((32, 32), Image.Resampling.BILINEAR, reducing_gap=2.0))
    assert (learnt != in_full).any()  # else this test could not detect the reduced size


@pytest.mark.parametrize("kind", ["EPS", "PPM", "TGA", "ICO", "PCX"])
def test_a_format_that_is_not_served_is_not_learnt_from(tmp_path: Path, kind: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, kind)
    (tmp_path / "a.png").write_bytes(file.getvalue())
    with pytest.raises(DataError, match=r"a.png is not a picture that can be read .*PNG, JPEG"):
        PictureRule(10, 10, "RGB", fit="cover", polarity="any").read(tmp_path / "a.png")


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.png is not a regular file"):
        PictureRule(10, 10, "RGB", fit="cover", polarity="any").read(tmp_path / "a.png")


def test_more_pixels_than_are_served_are_not_learnt_from(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.png has 20000 x 20000 pixels; at most 25000000"):
        PictureRule(10, 10, "RGB", fit="cover", polarity="any").read(tmp_path / "a.png")
