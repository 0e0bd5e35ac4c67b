"""An embedded profile that is not sRGB's is applied after the resize; a broken one is ignored."""

import io
import struct
import zlib
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image, ImageCms

from bench.request_bytes import picture_bytes
from imaging import Target, decode, examine, fast_png, read
from imaging.color_profile import transform_of
from tests.imaging.files import largest_difference, photo, read_whole
from tests.imaging.profiles import ADOBE_PRIMARIES, P3_PRIMARIES, SRGB_PRIMARIES, grey_profile, rgb_profile
from tests.process import FIXTURES

P3, ADOBE = rgb_profile(P3_PRIMARIES), rgb_profile(ADOBE_PRIMARIES, gamma=2.2)
SIZE = (40, 30)


def _converted(picture: Image.Image, profile: bytes) -> np.ndarray:
    """A picture that Pillow has converted with its profile."""
    source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB"))


@pytest.mark.parametrize("profile", [P3, ADOBE], ids=["Display P3", "Adobe RGB"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_colours_become_those_of_srgb(kind: str, profile: bytes) -> None:
    data = picture_bytes(photo(*SIZE), kind, icc_profile=profile)
    stored = read(data, Target(30, 40, "RGB", "stretch", light_on_dark=False, icc=False))
    wanted = _converted(Image.fromarray(stored), profile)
    assert largest_difference(stored, wanted) > 20
    assert np.array_equal(read_whole(data, SIZE), wanted)


@pytest.mark.skipif(find_spec("pi_heif") is None, reason="the extra `heif` is not installed")
def test_a_phones_heic_is_converted() -> None:
    data = (FIXTURES / "formats" / "profile.heic").read_bytes()
    stored = read(data, Target(80, 120, "RGB", "stretch", light_on_dark=False, icc=False))
    wanted = _converted(Image.fromarray(stored), rgb_profile(P3_PRIMARIES, gamma=2.2))
    assert largest_difference(stored, wanted) > 20
    assert np.array_equal(read_whole(data, (120, 80)), wanted)


def test_pure_red_of_a_phone_is_a_red_that_srgb_has() -> None:
    # Display P3's (234, 51, 35) is sRGB's (255, 0, 0); colours outside sRGB are clipped.
    data = picture_bytes(Image.new("RGB", SIZE, (234, 51, 35)), "PNG", icc_profile=P3)
    assert largest_difference(read_whole(data, SIZE), np.full((*SIZE[::-1], 3), (255, 0, 0))) <= 4


def test_alpha_stays() -> None:
    picture = photo(*SIZE).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(SIZE))
    share = np.asarray(picture)[..., 3:] / 255
    wanted = np.rint(_converted(picture.convert("RGB"), P3) * share + 255 * (1 - share))
    assert largest_difference(read_whole(picture_bytes(picture, "PNG", icc_profile=P3), SIZE), wanted) <= 1


@pytest.mark.parametrize("mode", ["L", "I;16", "LA"])
def test_grey_profiles(mode: str) -> None:
    ramp = np.tile(np.arange(0, 240, 6, dtype=np.uint8), (30, 1))
    wanted = _converted(Image.fromarray(ramp), grey_profile(1.0))[..., :1]
    picture = Image.fromarray(ramp.astype(np.uint16) << 8 if mode == "I;16" else ramp)
    picture = picture.convert("LA") if mode == "LA" else picture
    data = picture_bytes(picture, "PNG", icc_profile=grey_profile(1.0))
    assert largest_difference(wanted, ramp) > 40
    for color_mode in ("L", "RGB"):
        assert largest_difference(read_whole(data, SIZE, color_mode), wanted + np.zeros(1, int)) <= 1


def test_a_profile_of_colours_in_a_grey_picture_is_applied_to_its_greys() -> None:
    ramp = Image.fromarray(np.tile(np.arange(0, 240, 6, dtype=np.uint8), (30, 1)))
    linear = rgb_profile(SRGB_PRIMARIES, gamma=1.0)
    wanted = _converted(ramp.convert("RGB"), linear)
    assert largest_difference(read_whole(picture_bytes(ramp, "PNG", icc_profile=linear), SIZE), wanted) <= 1


def test_a_grey_model_sees_the_luminance_of_the_converted_colours() -> None:
    for size in (SIZE, (400, 300)):
        picture = photo(*size)
        target = Target(30, 40, "L", "stretch", light_on_dark=False)
        for kind, options in (("PNG", {}), ("JPEG", {"quality": 98, "subsampling": 0})):
            converted = Image.fromarray(_converted(picture, P3))
            wanted = read(picture_bytes(converted, "PNG"), target)
            seen = read(picture_bytes(picture, kind, icc_profile=P3, **options), target)
            assert largest_difference(seen, wanted) <= 8


@pytest.mark.parametrize(
    "profile",
    [
        rgb_profile(SRGB_PRIMARIES),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        grey_profile(None),
    ],
    ids=["made here", "Pillow's", "grey"],
)
def test_srgb_is_recognised(profile: bytes) -> None:
    picture = photo(*SIZE) if profile[16:20] == b"RGB " else photo(*SIZE).convert("L")
    picture.info["icc_profile"] = profile
    assert transform_of(picture) is None
    assert np.array_equal(
        read_whole(picture_bytes(picture, "PNG", icc_profile=profile), SIZE), np.asarray(picture.convert("RGB"))
    )


@pytest.mark.parametrize(
    "profile",
    [
        b"x",
        b"none" * 40,
        P3[:200],
        P3[:128] + bytes(400),
        P3[:16] + b"CMYK" + P3[20:],
        grey_profile(2.2),
        b"\0" * 3_000_000,
    ],
    ids=["a letter", "text", "truncated", "zeros", "of inks", "of greys", "too long"],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_profile_that_cannot_be_applied_is_ignored(kind: str, profile: bytes) -> None:
    if kind == "PNG" and len(profile) > 1 << 20:
        pytest.skip("Pillow inflates no text of 1 MiB")
    picture = photo(*SIZE)
    options = {"lossless": True} if kind == "WEBP" else {}
    plain, profiled = (
        picture_bytes(picture, kind, **options),
        picture_bytes(picture, kind, icc_profile=profile, **options),
    )
    assert np.array_equal(read_whole(profiled, SIZE), read_whole(plain, SIZE))


def test_inks_with_a_profile_of_colours_are_converted_as_without() -> None:
    picture = photo(*SIZE).convert("CMYK")
    plain, profiled = picture_bytes(picture, "TIFF"), picture_bytes(picture, "TIFF", icc_profile=P3)
    assert np.array_equal(read_whole(profiled, SIZE), read_whole(plain, SIZE))


def test_a_model_may_ignore_profiles() -> None:
    data = picture_bytes(photo(*SIZE), "PNG", icc_profile=P3)
    target = Target(30, 40, "RGB", "stretch", light_on_dark=False)
    assert np.array_equal(read(data, replace(target, icc=False)), np.asarray(photo(*SIZE)))
    assert not np.array_equal(read(data, target), np.asarray(photo(*SIZE)))


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_the_colour_of_a_transparent_pixel_is_not_seen_beside_a_profile(mode: str, *, antialias: bool) -> None:
    pictures = [Image.new(mode, (8, 8), (hidden,) * (len(mode) - 1) + (0,)) for hidden in (0, 255)]
    for picture in pictures:
        picture.paste((100,) * (len(mode) - 1) + (255,), (0, 0, 4, 8))
    profile = P3 if mode == "RGBA" else grey_profile(1.8)
    target = Target(32, 32, "RGB", "stretch", light_on_dark=False, antialias=antialias)
    dark, light = (read(picture_bytes(picture, "PNG", icc_profile=profile), target) for picture in pictures)
    assert np.array_equal(dark, light)


def _with_code_points(data: bytes, primaries: int, transfer: int) -> bytes:
    """An AVIF with other code points in its ``nclx`` box."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def _with_cicp(data: bytes, primaries: int, transfer: int) -> bytes:
    """A PNG with a chunk of code points after its header."""
    content = b"cICP" + bytes((primaries, transfer, 0, 1))
    return data[:33] + struct.pack(">I", 4) + content + struct.pack(">I", zlib.crc32(content)) + data[33:]


@pytest.mark.parametrize(
    ("codes", "profile"),
    [
        ((12, 13), P3),
        ((12, 1), P3),
        ((1, 8), rgb_profile(SRGB_PRIMARIES, gamma=1.0)),
        ((1, 13), None),
        ((2, 2), None),
        ((5, 6), None),
        ((9, 16), None),  # high dynamic range, for which there is no profile
    ],
)
@pytest.mark.parametrize("kind", ["AVIF", "PNG"])
def test_code_points_mean_what_a_profile_would_mean(kind: str, codes: tuple[int, int], profile: bytes | None) -> None:
    plain = picture_bytes(photo(*SIZE), kind)
    data = (_with_code_points if kind == "AVIF" else _with_cicp)(plain, *codes)
    stored = read(plain, Target(30, 40, "RGB", "stretch", light_on_dark=False, icc=False))
    wanted = stored if profile is None else _converted(Image.fromarray(stored), profile)
    assert largest_difference(read_whole(data, SIZE), wanted) <= 1


def test_a_profile_outranks_the_code_points_of_an_avif_and_yields_to_those_of_a_png() -> None:
    for kind, change, wanted in (("AVIF", _with_code_points, ADOBE), ("PNG", _with_cicp, P3)):
        data = picture_bytes(photo(*SIZE), kind, icc_profile=ADOBE)
        assert examine(data).cost.profile == ADOBE
        if kind == "PNG":
            stored = read(data, Target(30, 40, "RGB", "stretch", light_on_dark=False, icc=False))
            seen = read_whole(change(data, 12, 13), SIZE)
            assert largest_difference(seen, _converted(Image.fromarray(stored), wanted)) <= 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_the_time_of_making_a_profiles_transform_is_in_the_estimate_until_it_is_known(kind: str) -> None:
    target = Target(32, 32, "RGB", "cover", light_on_dark=False)
    profile = rgb_profile(ADOBE_PRIMARIES, gamma=1.5 + "PNG JPEG WEBP TIFF AVIF".index(kind) / 50)
    examined = examine(picture_bytes(photo(*SIZE), kind, icc_profile=profile))
    before_s = examined.estimate_s(target)
    assert before_s > 2e-3  # longer than decoding in the event loop may take
    assert examined.estimate_s(replace(target, icc=False)) < before_s - 2e-3
    decode(examined, target)
    assert examined.estimate_s(target) < before_s - 2e-3
    assert examined.estimate_s(target, is_apart=True) == before_s


def test_a_png_with_a_known_profile_of_srgb_goes_the_short_way() -> None:
    target = Target(32, 32, "RGB", "cover", light_on_dark=False)
    data = picture_bytes(photo(32, 32), "PNG", icc_profile=rgb_profile(SRGB_PRIMARIES))
    first = read(data, target)
    known = examine(data)
    assert fast_png(target).takes(known.cost.data)
    assert np.array_equal(decode(known, target), first)
