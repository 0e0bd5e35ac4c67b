"""``warnings`` of a prediction: each rule applies where it should, and never to pictures that fit the model."""

import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.imaging.profiles import P3_PRIMARIES, rgb_profile

RANDOM = np.random.default_rng(7)


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = RANDOM.integers(0, 256, (height, width, channels), np.uint8)
    return Image.frombytes(mode, (width, height), pixels.tobytes())


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return saved(photo(64, 64), "JPEG", exif=exif)


def see_through(width: int) -> bytes:
    picture = photo(width, width, "RGBA")
    return saved(picture)


def codes(client: httpx.Client, data: bytes, model: str = "cifar10") -> list[str]:
    answer = client.post(f"/predict?model={model}", files={"file": data})
    assert answer.status_code == 200, answer.text
    [prediction] = answer.json()["predictions"]
    warnings = prediction.get("warnings", [])
    assert all(warning["detail"] for warning in warnings)
    assert warnings or "warnings" not in prediction
    return [warning["code"] for warning in warnings]


CASES = {
    "as the model takes it": (saved(photo(32, 32)), []),
    "larger": (saved(photo(64, 48)), []),
    "small": (saved(photo(16, 16)), ["upscaled"]),
    "small on one side": (saved(photo(40, 20)), ["upscaled", "cropped"]),
    "a strip": (saved(photo(400, 40)), ["cropped"]),
    "a strip on its end": (saved(photo(40, 400), "JPEG"), ["cropped"]),
    "see-through": (see_through(32), ["transparent"]),
    "see-through, larger": (see_through(64), ["transparent"]),
    "opaque with alpha": (saved(photo(64, 64).convert("RGBA")), []),
    "blank": (saved(Image.new("RGB", (32, 32), (200, 100, 7))), ["blank"]),
    "blank, larger": (saved(Image.new("RGB", (90, 90), (0, 0, 0)), "JPEG"), ["blank"]),
    "blank, not compressed": (saved(Image.new("RGB", (32, 32)), compress_level=0), ["blank"]),
    "turned": (turned(), ["turned"]),
    "of another profile": (saved(photo(64, 64), "JPEG", icc_profile=rgb_profile(P3_PRIMARIES)), ["color-profile"]),
}


@pytest.mark.parametrize("name", CASES)
def test_each_rule_fires_where_it_should(client: httpx.Client, name: str) -> None:
    data, expected = CASES[name]
    assert codes(client, data) == expected


def test_samples_have_no_warnings(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    for model, paths in samples.items():
        assert not any(codes(client, path.read_bytes(), model) for path in paths)


def test_dark_digits_are_inverted_in_every_format(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    dark = ImageOps.invert(Image.open(samples["mnist"][0]).convert("L"))
    for data in (saved(dark), saved(dark, "BMP"), saved(dark.resize((56, 56)), "PNG")):
        assert codes(client, data, "mnist") == ["inverted"]
    for level, expected in ((0, ["blank"]), (255, ["blank", "inverted"])):
        assert codes(client, saved(Image.new("L", (28, 28), level)), "mnist") == expected


def test_they_stand_with_their_own_picture(client: httpx.Client) -> None:
    pictures = [photo(32, 32), photo(8, 8), photo(32, 32), photo(400, 40)]
    files = [("file", (f"{index}.png", saved(picture))) for index, picture in enumerate(pictures)]
    files.insert(1, ("file", ("bad.png", b"no picture at all")))
    answer = client.post("/predict?on_error=report", files=files).json()["predictions"]
    found = [[warning["code"] for warning in one.get("warnings", [])] for one in answer]
    assert found == [[], [], ["upscaled"], [], ["cropped"]]


def test_a_sliver_of_a_picture_is_not_called_nothing(client: httpx.Client) -> None:
    strip = saved(photo(4000, 16))
    [prediction] = client.post("/predict", content=strip).json()["predictions"]
    details = {warning["code"]: warning["detail"] for warning in prediction["warnings"]}
    assert details["cropped"] == "of 4000 x 16 pixels only the middle was used, less than 1% of the picture"


def test_what_a_child_process_decodes_has_them_too(client: httpx.Client) -> None:
    lossless = saved(photo(600, 100), "WEBP", lossless=True)
    assert codes(client, lossless) == ["cropped"]
