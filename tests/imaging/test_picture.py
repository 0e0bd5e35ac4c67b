"""Opaque alpha changes nothing, and transparent pictures are placed on white, at any size."""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from contract import Interpolation
from imaging import Target, UnreadableError, examine, read
from imaging.formats import FORMATS, Format
from tests.imaging.files import largest_difference, photo

TARGET = Target(32, 48, "RGB", "cover", light_on_dark=False)
SIZES = [(48, 32), (50, 33), (640, 480), (901, 700), (20, 11)]


def _varied(size: tuple[int, int]) -> Image.Image:
    picture = photo(*size).convert("RGBA")
    noise = np.random.default_rng(2).integers(0, 256, (9, 9), np.uint8)
    picture.putalpha(Image.fromarray(noise).resize(size))
    return picture


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_opaque_alpha_channel_changes_nothing(size: tuple[int, int], mode: str) -> None:
    picture = photo(*size).convert(mode)
    target = replace(TARGET, color_mode=mode)
    with_alpha = picture.convert("RGBA" if mode == "RGB" else "LA")
    assert np.array_equal(read(picture_bytes(with_alpha, "PNG"), target), read(picture_bytes(picture, "PNG"), target))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("antialias", [False, True])
def test_white_may_be_laid_below_before_or_after_the_resize(
    size: tuple[int, int], interpolation: Interpolation, *, antialias: bool
) -> None:
    if interpolation == "lanczos" and not antialias:
        pytest.skip("it has no form without")
    picture = _varied(size)
    on_white = Image.alpha_composite(Image.new("RGBA", size, "white"), picture).convert("RGB")
    target = replace(TARGET, interpolation=interpolation, antialias=antialias)
    seen, wanted = (read(picture_bytes(image, "PNG"), target) for image in (picture, on_white))
    if interpolation == "bilinear":
        assert largest_difference(seen, wanted) <= 2
    else:  # filters with negative weights go beyond 0 to 255, and are clipped at another step
        assert np.abs(seen.astype(int) - wanted).mean() < 1


def _raises(error: Exception) -> Callable[..., NoReturn]:
    def function(*_arguments: object) -> NoReturn:
        raise error

    return function


@pytest.mark.parametrize("error", [AssertionError(), KeyError("x"), RecursionError("deep"), OSError(5, "x")])
def test_whatever_a_decoder_raises_is_a_clear_error(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    formats = dict(FORMATS) | {"PNG": Format(FORMATS["PNG"].read_header, _raises(error))}
    monkeypatch.setattr("imaging.reader.FORMATS", formats)
    with pytest.raises(UnreadableError, match=r"^its pixels cannot be used$"):
        read(picture_bytes(photo(20, 20), "PNG"), TARGET)


@pytest.mark.parametrize("error", [struct.error("x"), TypeError("x"), IndexError("x")])
def test_whatever_a_reader_of_headers_raises_is_a_clear_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imaging.reader.measure", _raises(error))
    with pytest.raises(UnreadableError, match=r"^its header is broken$"):
        examine(picture_bytes(photo(20, 20), "PNG"))


def test_a_shortage_of_memory_is_not_the_fault_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    formats = dict(FORMATS) | {"PNG": Format(FORMATS["PNG"].read_header, _raises(MemoryError()))}
    monkeypatch.setattr("imaging.reader.FORMATS", formats)
    with pytest.raises(MemoryError):
        read(picture_bytes(photo(20, 20), "PNG"), TARGET)
