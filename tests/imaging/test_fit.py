"""Each resizing rule of the contract gives the same pixels as the framework that it comes from."""

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from contract import CropRounding, Fit, Interpolation
from imaging import Observation, Target, decode, examine, read
from imaging.fit import resize
from tests.imaging.files import largest_difference

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_SIZES = [(640, 480), (480, 641), (301, 300), (224, 224), (97, 512), (40, 30)]


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize(("edge", "side"), [(256, 224), (235, 224), (248, 224), (32, 32)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_shortest_edge_is_torchvisions_resize_and_center_crop(
    size: tuple[int, int], edge: int, side: int, interpolation: Interpolation
) -> None:
    picture = _picture(*size)
    scaled = _resized_by_shortest_edge(picture, edge, interpolation)
    left, top = round((scaled.width - side) / 2.0), round((scaled.height - side) / 2.0)
    wanted = np.asarray(scaled.crop((left, top, left + side, top + side)))
    target = _target(side, fit="shortest-edge", crop_fraction=side / edge, interpolation=interpolation)
    assert np.array_equal(_read(picture, target), wanted)


@pytest.mark.parametrize("size", [(10, 300), (301, 10)])
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_of_a_long_strip_only_the_crop_is_made(
    size: tuple[int, int], interpolation: Interpolation, *, antialias: bool
) -> None:
    picture = _picture(*size)
    target = replace(_target(16, fit="shortest-edge"), antialias=antialias, interpolation=interpolation)
    long = int(16 * max(size) / min(size))
    whole = replace(
        target, fit="stretch", width=16 if size[0] < size[1] else long, height=long if size[0] < size[1] else 16
    )
    scaled = Image.fromarray(_read(picture, whole))
    left, top = round((scaled.width - 16) / 2), round((scaled.height - 16) / 2)
    wanted = np.asarray(scaled.crop((left, top, left + 16, top + 16)))
    assert np.abs(_read(picture, target).astype(int) - wanted).max() <= 1
    assert _read(_picture(1, 100_000), target).shape == (16, 16, 3)


@pytest.mark.parametrize("size", _SIZES)
def test_shortest_edge_with_floor_is_transformers_center_crop(size: tuple[int, int]) -> None:
    picture = _picture(*size)
    scaled = _resized_by_shortest_edge(picture, 256, "bicubic")
    left, top = (scaled.width - 224) // 2, (scaled.height - 224) // 2
    wanted = np.asarray(scaled.crop((left, top, left + 224, top + 224)))
    target = _target(224, fit="shortest-edge", crop_fraction=224 / 256, crop_rounding="floor", interpolation="bicubic")
    assert np.array_equal(_read(picture, target), wanted)


@pytest.mark.parametrize("size", _SIZES)
def test_stretch_and_crop_is_resize_to_a_pair_and_center_crop(size: tuple[int, int]) -> None:
    picture = _picture(*size)
    scaled = picture.resize((256, 256), Image.Resampling.BICUBIC)
    target = _target(224, fit="stretch", crop_fraction=224 / 256, interpolation="bicubic")
    assert np.array_equal(_read(picture, target), np.asarray(scaled.crop((16, 16, 240, 240))))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
@pytest.mark.parametrize("size", _SIZES)
def test_stretch_with_antialiasing_is_pillows_resize(size: tuple[int, int], interpolation: Interpolation) -> None:
    picture = _picture(*size)
    wanted = picture.resize((48, 32), Image.Resampling[interpolation.upper()])
    target = replace(_target(32, fit="stretch", interpolation=interpolation), width=48)
    assert np.array_equal(_read(picture, target), np.asarray(wanted))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", _SIZES)
def test_stretch_without_antialiasing_is_tensorflows_resize(
    size: tuple[int, int], interpolation: Interpolation
) -> None:
    tf = pytest.importorskip("tensorflow")
    picture = _picture(*size)
    wanted = tf.image.resize(np.asarray(picture), (32, 48), method=interpolation, antialias=False).numpy()
    target = replace(_target(32, fit="stretch", interpolation=interpolation, antialias=False), width=48)
    # Keras data sets keep fractions, which uint8 rounds; TensorFlow takes cubic weights from a table of 1,024.
    largest = 0.51 if interpolation == "bilinear" else 0.85
    assert np.abs(_read(picture, target).astype(float) - np.clip(wanted, 0, 255)).max() <= largest


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("fit", ["cover", "contain"])
@pytest.mark.parametrize("size", [*_SIZES, (3, 200), (200, 3)])
def test_in_source_pixels_a_picture_is_cropped_or_padded_as_keras_does(
    size: tuple[int, int], fit: Fit, interpolation: Interpolation
) -> None:
    keras = pytest.importorskip("keras")
    picture = _picture(*size)
    if fit == "cover" and interpolation == "nearest":  # of an image in Pillow
        file = io.BytesIO()
        picture.save(file, "PNG")
        wanted = keras.utils.load_img(file, target_size=(32, 48), keep_aspect_ratio=True)
    else:
        option = {"crop_to_aspect_ratio" if fit == "cover" else "pad_to_aspect_ratio": True}
        pixels = np.asarray(picture, np.float32)
        wanted = keras.ops.image.resize(pixels, (32, 48), interpolation=interpolation, **option)
    target = _target(32, fit=fit, interpolation=interpolation, antialias=False, crop_rounding="source-pixels", width=48)
    largest = {"nearest": 0, "bilinear": 0.51, "bicubic": 0.85}[interpolation]
    assert np.abs(_read(picture, target).astype(float) - np.clip(wanted, 0, 255)).max() <= largest


def test_cover_in_source_pixels_with_antialiasing_is_load_img() -> None:
    keras = pytest.importorskip("keras")
    picture, file = _picture(97, 512), io.BytesIO()
    picture.save(file, "PNG")
    wanted = keras.utils.load_img(file, target_size=(32, 48), keep_aspect_ratio=True, interpolation="bicubic")
    target = _target(32, fit="cover", interpolation="bicubic", crop_rounding="source-pixels", width=48)
    assert np.array_equal(_read(picture, target), np.asarray(wanted))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_what_is_padded_in_source_pixels_may_be_transparent(interpolation: Interpolation) -> None:
    picture = _picture(40, 20).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize((40, 20)))
    on_white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    target = _target(32, fit="contain", interpolation=interpolation, antialias=False, crop_rounding="source-pixels")
    assert largest_difference(_read(picture, target), _read(on_white, target)) <= 2


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [*_SIZES, (199, 301), (3, 90), (90, 3)])
def test_in_target_pixels_a_picture_is_padded_as_tensorflow_does(
    size: tuple[int, int], interpolation: Interpolation, *, antialias: bool
) -> None:
    tf = pytest.importorskip("tensorflow")
    picture = _picture(*size)
    wanted = tf.image.resize_with_pad(np.asarray(picture), 32, 48, method=interpolation, antialias=antialias).numpy()
    rules = {"fit": "contain", "interpolation": interpolation, "antialias": antialias, "width": 48}
    seen = _read(picture, _target(32, crop_rounding="target-pixels", **rules)).astype(float)
    if interpolation == "nearest" and antialias:  # Pillow's, as with every other fit
        assert np.array_equal(seen.any(axis=2), wanted.any(axis=2))
        return
    largest = {"nearest": 0, "bilinear": 0.51, "bicubic": 0.85}[interpolation] + antialias  # Pillow rounds twice
    assert np.abs(seen - np.clip(wanted, 0, 255)).max() <= largest


@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "CMYK"])
def test_what_is_padded_in_target_pixels_is_black(mode: str) -> None:
    picture, file = Image.new("L", (40, 20), 200).convert(mode), io.BytesIO()
    picture.save(file, "TIFF")
    target = _target(32, fit="contain", antialias=False, crop_rounding="target-pixels")
    rows = read(file.getvalue(), target)[:, 16].astype(int)
    assert rows[:8].max() == rows[24:].max() == 0
    assert np.abs(rows[8:24] - 200).max() <= 2


@pytest.mark.parametrize("size", [(300, 200), (97, 512), (40, 30), (20, 64), (64, 64)], ids=str)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("rounding", ["source-pixels", "target-pixels", "round"])
def test_black_bars_do_not_hide_that_a_picture_is_blank(
    size: tuple[int, int], interpolation: Interpolation, rounding: CropRounding
) -> None:
    target = _target(64, fit="contain", interpolation=interpolation, antialias=False, crop_rounding=rounding)
    grey = Image.new("RGB", size, (200, 200, 200))
    marked = grey.copy()
    marked.paste((0, 0, 0), (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    seen: list[Observation] = []
    for picture in (grey, marked):
        file = io.BytesIO()
        picture.save(file, "PNG")
        decode(examine(file.getvalue()), target, seen)
    assert seen[0].is_blank
    assert not any(one.is_blank for one in seen[1:])  # the fast PNG decoder observes only what is to be reported


def test_a_strip_is_at_least_one_pixel_wide_in_target_pixels() -> None:
    target = _target(32, fit="contain", antialias=False, crop_rounding="target-pixels")
    assert _read(Image.new("RGB", (2, 2000), "white"), target).any(axis=2).sum() == 32


def test_cover_with_a_crop_fraction_keeps_that_share_of_the_shorter_side() -> None:
    picture = _picture(400, 200)
    target = _target(32, fit="cover", crop_fraction=0.5)
    inner = _read(picture.crop((150, 50, 250, 150)), _target(32, fit="cover"))
    assert np.abs(_read(picture, target).astype(int)[2:-2, 2:-2] - inner[2:-2, 2:-2]).max() <= 1


def test_a_picture_of_the_input_size_is_still_cropped_where_the_rule_crops() -> None:
    picture = _picture(32, 32)
    target = _target(32, fit="shortest-edge", crop_fraction=0.8)
    scaled = picture.resize((40, 40), Image.Resampling.BILINEAR)
    assert np.array_equal(_read(picture, target), np.asarray(scaled.crop((4, 4, 36, 36))))


def test_exif_orientation_is_left_alone_where_the_rule_says_so() -> None:
    picture = _picture(32, 32)
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = io.BytesIO()
    picture.save(turned, "PNG", exif=exif)
    as_stored = _target(32, fit="stretch", exif=False)
    assert np.array_equal(read(turned.getvalue(), as_stored), np.asarray(picture))
    assert np.array_equal(read(turned.getvalue(), replace(as_stored, exif=True)), np.asarray(picture.rotate(180)))


@pytest.mark.parametrize("size", [(640, 480), (1600, 1200)])
def test_a_jpeg_is_decoded_in_full_where_the_rule_says_so(size: tuple[int, int]) -> None:
    picture, file = _picture(*size), io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    wanted = Image.open(file).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.array_equal(read(file.getvalue(), _target(32, fit="stretch")), np.asarray(wanted))


def _target(side: int, **rules: Any) -> Target:
    return Target(
        **{"height": side, "width": side, "color_mode": "RGB", "light_on_dark": False, "is_reduced": False} | rules
    )


def _read(picture: Image.Image, target: Target) -> np.ndarray:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return read(file.getvalue(), target)


def _resized_by_shortest_edge(picture: Image.Image, edge: int, interpolation: str) -> Image.Image:
    width, height = picture.size
    longer = int(edge * max(width, height) / min(width, height))
    size = (edge, longer) if width <= height else (longer, edge)
    return picture.resize(size, _FILTERS[interpolation])


def _picture(width: int, height: int) -> Image.Image:
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [128 + 127 * np.sin(rows / (3 + shift) + columns / (5 + shift) + math.pi * shift) for shift in range(3)]
    return Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8))


@pytest.mark.parametrize("height", [225, 253, 450, 900])
def test_a_box_that_is_rounded_beyond_the_picture_is_cut(height: int) -> None:
    assert 224 * (height / 224) > height
    picture = Image.new("RGB", (height + 40, height))
    assert resize(picture, _target(224, fit="cover")).size == (224, 224)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", [(20, 900), (900, 20)], ids=str)
def test_a_strip_is_stretched_as_the_whole_picture_is(size: tuple[int, int], *, antialias: bool) -> None:
    target = _target(64, fit="stretch", antialias=antialias, is_reduced=False)
    strip = _picture(*size)
    wanted = np.asarray(strip.resize((64, 64), Image.Resampling.BILINEAR)) if antialias else None
    seen = np.asarray(resize(strip, target))
    if wanted is None:  # the axes are independent, so the order of the two passes changes only roundings
        part = _target(64, fit="stretch", antialias=False, is_reduced=False)
        wanted = np.asarray(resize(strip.transpose(Image.Transpose.TRANSPOSE), part)).transpose(1, 0, 2)
    assert largest_difference(seen, wanted) <= 1
