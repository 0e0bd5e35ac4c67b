"""Every kind of picture becomes the model's input, and others are refused for the right reason."""

import math
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bench.request_bytes import picture_bytes
from service.decoding import Decoder, DecodeThreads, Deferred, Target, Upload
from service.errors import ClientGoneError, DeadlineExceededError, InvalidImagesError, TooLargeError
from service.http.body_budget import BodyBudget
from tests.fixtures.pictures import first_test_images
from tests.process import SAMPLES

COLOR = Target(32, 32, "RGB", "cover", light_on_dark=False)
DIGIT = Target(28, 28, "L", "contain", light_on_dark=True)

Decode = Callable[..., NDArray[np.uint8]]


@pytest.fixture
def decode() -> Iterator[Decode]:
    with DecodeThreads(1) as threads:
        decoder = Decoder(
            max_pixels=1_000_000, loop_work_s=1e-3, threads=threads, children=None, budget=BodyBudget(1 << 30)
        )

        def run(*files: bytes, target: Target = COLOR) -> NDArray[np.uint8]:
            return decoder.decode_now([Upload(data, f"{index}.bin") for index, data in enumerate(files)], target)

        yield run


def cat() -> Image.Image:
    with Image.open(SAMPLES / "cifar10_cat_0.png") as picture:
        return picture.copy()


def off_by(pixels: NDArray[np.uint8], expected: Image.Image) -> float:
    """Mean absolute difference of two pictures, in grey levels."""
    return float(np.abs(pixels.astype(int) - np.asarray(expected, np.uint8).reshape(pixels.shape)).mean())


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_lossless_formats_keep_every_pixel(decode: Decode, kind: str, options: dict[str, object]) -> None:
    pixels = decode(picture_bytes(cat(), kind, **options))
    assert pixels.shape == (1, 32, 32, 3)
    assert pixels.dtype == np.uint8
    assert off_by(pixels, cat()) == 0


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"), [("JPEG", {"quality": 95}, 5), ("WEBP", {"quality": 95}, 6), ("GIF", {}, 8)]
)
def test_lossy_formats_come_close(decode: Decode, kind: str, options: dict[str, object], tolerance: float) -> None:
    assert off_by(decode(picture_bytes(cat(), kind, **options)), cat()) < tolerance


@pytest.mark.parametrize("model", ["cifar10", "mnist"])
def test_the_short_way_makes_the_pixels_that_pillow_makes(decode: Decode, model: str) -> None:
    images = first_test_images(model)
    target = COLOR if model == "cifar10" else DIGIT
    for image in images[:200]:
        picture = Image.fromarray(image.squeeze())
        for options in ({"optimize": True}, {"compress_level": 0}, {"compress_level": 9}):
            assert (decode(picture_bytes(picture, "PNG", **options), target=target)[0] == image).all()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("RGBA", "PNG"),
        ("I;16", "PNG"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "TIFF"),
        ("LAB", "TIFF"),
        ("I;16", "TIFF"),
    ],
)
def test_every_mode_becomes_colour_and_grey(decode: Decode, mode: str, kind: str) -> None:
    grey = cat().convert("L")
    if mode == "1":
        grey = grey.point(lambda value: 255 * (value > 127))
    stored = cat().convert("P", palette=Image.Palette.ADAPTIVE) if mode == "P" else cat().convert(mode)
    if mode == "1":
        stored = grey.convert("1")
    elif mode.startswith("I"):
        stored = Image.fromarray(np.asarray(grey).astype(np.uint16 if mode == "I;16" else np.int32) << 8)
    assert stored.mode == mode
    data = picture_bytes(stored, kind)
    assert off_by(decode(data, target=Target(32, 32, "L", "cover", light_on_dark=False)), grey) < 6
    expected = grey.convert("RGB") if mode in {"1", "L", "LA", "I", "I;16"} else cat()
    assert off_by(decode(data), expected) < 6


def test_sixteen_bits_lose_only_their_lower_byte(decode: Decode) -> None:
    deep = (np.arange(1024, dtype=np.uint32) * 64).astype(np.uint16).reshape(32, 32)
    pixels = decode(
        picture_bytes(Image.fromarray(deep), "PNG"), target=Target(32, 32, "L", "cover", light_on_dark=False)
    )
    assert (pixels[0, :, :, 0] == deep >> 8).all()


def test_transparent_pixels_are_seen_on_white(decode: Decode) -> None:
    picture = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    picture.paste((200, 0, 0, 255), (0, 0, 16, 32))
    pixels = decode(picture_bytes(picture, "PNG"))[0]
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[0, 31].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_colour_is_no_colour_of_the_picture(decode: Decode, mode: str) -> None:
    picture = Image.new(mode, (32, 32), 0)
    data = picture_bytes(picture, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert (decode(data) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_as_their_exif_says(decode: Decode, orientation: int, kind: str) -> None:
    upright = Image.fromarray(np.kron(np.array([[250, 170], [90, 10]], np.uint8), np.ones((16, 16), np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpositions that an EXIF viewer would undo
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    data = picture_bytes(stored.convert("RGB"), kind, exif=exif)
    assert off_by(decode(data), upright.convert("RGB")) < 4


def test_a_wide_picture_is_covered_from_its_centre(decode: Decode) -> None:
    wide = Image.new("RGB", (96, 32), "red")
    wide.paste(cat(), (32, 0))
    assert off_by(decode(picture_bytes(wide, "PNG")), cat()) == 0


def test_a_large_photograph_is_seen_as_a_small_one(decode: Decode) -> None:
    large = cat().resize((640, 640), Image.Resampling.BICUBIC)
    for kind, options in (("PNG", {}), ("JPEG", {"quality": 92})):
        assert off_by(decode(picture_bytes(large, kind, **options)), cat()) < 7


def test_dark_strokes_on_paper_become_light_strokes_on_black(decode: Decode) -> None:
    with Image.open(SAMPLES / "mnist_7_0.png") as digit:
        assert off_by(decode(picture_bytes(ImageOps.invert(digit), "PNG"), target=DIGIT), digit) == 0
        assert off_by(decode(picture_bytes(digit, "PNG"), target=DIGIT), digit) == 0
        tall = Image.new("L", (84, 168), 255)
        tall.paste(ImageOps.invert(digit).resize((84, 84)), (0, 42))
        contained = decode(picture_bytes(tall, "PNG"), target=DIGIT)[0, :, :, 0]
    assert contained[:, :7].max() == 0
    assert contained[:, -7:].max() == 0
    assert contained.max() > 150


def test_an_animation_shows_its_first_frame(decode: Decode) -> None:
    frames = [Image.new("RGB", (32, 32), color) for color in ("red", "green")]
    for kind in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = picture_bytes(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert decode(data)[0, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"this is not a picture at all", "not a picture in a known format"),
        (b"%PDF-1.7 .....", "not a picture in a known format"),
        (b"\x00\x00\x01\x00" + bytes(64), "not a picture in a known format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "header is broken"),
        (b"\xff\xd8\xff\xe0" + bytes(64), "header is broken"),
        ((SAMPLES / "cifar10_cat_0.png").read_bytes()[:900], "truncated or broken"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(decode: Decode, data: bytes, reason: str) -> None:
    good = picture_bytes(cat(), "PNG")
    with pytest.raises(InvalidImagesError) as refusal:
        decode(good, data, good, data)
    assert [(fault.index, fault.filename) for fault in refusal.value.faults] == [(1, "1.bin"), (3, "3.bin")]
    assert all(reason in fault.reason for fault in refusal.value.faults)


def test_floating_point_pixels_are_refused(decode: Decode) -> None:
    with pytest.raises(InvalidImagesError, match="floating-point"):
        decode(picture_bytes(Image.new("F", (32, 32)), "TIFF"))


def test_a_formats_own_search_reaches_no_other_plugin(decode: Decode) -> None:
    for kind in ("PPM", "ICO", "TGA", "PCX", "EPS"):
        with pytest.raises(InvalidImagesError, match="known format"):
            decode(picture_bytes(cat(), kind))


def test_a_bomb_is_refused_before_its_pixels_are_made(decode: Decode) -> None:
    bomb = picture_bytes(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(TooLargeError, match="20000 x 20000 pixels; at most 1000000"):
        decode(bomb)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF"])
def test_a_small_file_of_many_pixels_is_not_decoded_in_the_event_loop(kind: str) -> None:
    options = {"WEBP": {"lossless": True}, "TIFF": {"compression": "tiff_deflate"}}.get(kind, {})
    file = Upload(picture_bytes(Image.new("L" if kind != "WEBP" else "RGB", (2000, 2000)), kind, **options))
    small = Upload(picture_bytes(cat(), kind))
    with DecodeThreads(1) as threads:
        decoder = Decoder(
            max_pixels=25_000_000, loop_work_s=2e-3, threads=threads, children=None, budget=BodyBudget(1 << 30)
        )
        assert isinstance(decoder.decode_soon([file], COLOR, []), Deferred)
        assert isinstance(decoder.decode_soon([small, file], COLOR, []), Deferred)
        both = decoder.decode_soon([small, small], COLOR, [])
        assert not isinstance(both, Deferred)
        assert both().shape == (2, 32, 32, 3)
        assert decoder.decode_now([small, file], COLOR).shape == (2, 32, 32, 3)


@pytest.mark.parametrize(
    ("is_gone", "deadline", "refusal"), [(True, math.inf, ClientGoneError), (False, 0.0, DeadlineExceededError)]
)
async def test_what_nobody_waits_for_is_not_decoded(
    *, is_gone: bool, deadline: float, refusal: type[Exception]
) -> None:
    with DecodeThreads(1) as threads:
        decoder = Decoder(max_pixels=1, loop_work_s=0, threads=threads, children=None, budget=BodyBudget(1 << 30))
        with pytest.raises(refusal):
            await decoder.decode([Upload(b"")], COLOR, deadline=deadline, is_abandoned=lambda: is_gone)


def test_the_first_picture_imports_nothing() -> None:
    # In a separate process, since this one has imported everything already.
    first_picture = f"""
import sys
from pathlib import Path
from service.decoding import Decoder, Target, Upload
decoder = Decoder(max_pixels=1_000_000, loop_work_s=1e-3, threads=None, children=None, budget=None)
target = Target(32, 32, "RGB", "cover", light_on_dark=False)
known = set(sys.modules)
decoder.decode_now([Upload(Path({str(SAMPLES / "cifar10_cat_0.png")!r}).read_bytes())], target)
print(*sorted(set(sys.modules) - known))
"""
    run = subprocess.run([sys.executable, "-c", first_picture], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
