"""``prepare=digit``: drawn, photographed and pasted digits are classified as well as those of the data set."""

import io
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps

from bench.request_bytes import picture_bytes

Change = Callable[[Image.Image], Image.Image]


def scaled(factor: float) -> Change:
    return lambda digit: digit.resize((round(28 * factor), round(28 * factor)), Image.Resampling.BILINEAR)


def pasted(digit: Image.Image) -> Image.Image:
    page = Image.new("L", (200, 300), 255)
    page.paste(ImageOps.invert(digit), (30, 180))
    return page


def pasted_as_plate(digit: Image.Image) -> Image.Image:
    page = Image.new("L", (200, 300), 255)
    page.paste(digit, (120, 40))
    return page


CHANGES: dict[str, Change] = {
    "inverted": ImageOps.invert,
    "shifted": lambda digit: ImageChops.offset(digit, 4, 4),
    "halved": scaled(0.5),
    "four times as large": scaled(4),
    "on a page": pasted,
}


def right(client: httpx.Client, digits: list[Path], change: Change, **query: str) -> int:
    files = [("file", (path.name, picture_bytes(change(Image.open(path).convert("L")), "PNG"))) for path in digits]
    answer = client.post("/predict", params={"model": "mnist", **query}, files=files)
    assert answer.status_code == 200, answer.text
    labels = [prediction["label"] for prediction in answer.json()["predictions"]]
    return sum(path.name.split("_")[1] == label for path, label in zip(digits, labels, strict=True))


def test_at_least_90_of_100_changed_digits_are_read(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    counts = {name: right(client, samples["mnist"], change, prepare="digit") for name, change in CHANGES.items()}
    without = {name: right(client, samples["mnist"], change) for name, change in CHANGES.items()}
    print(f"right of 20 each: {counts}, {sum(counts.values())} of 100; without prepare=digit {without}")
    assert sum(counts.values()) >= 90
    assert min(counts.values()) >= 16


def test_digits_as_they_are_and_on_a_dark_plate_are_read(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    assert right(client, samples["mnist"], lambda digit: digit, prepare="digit") >= 19
    assert right(client, samples["mnist"], pasted_as_plate, prepare="digit") >= 18


def test_predictions_without_it_are_as_before(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    shifted = picture_bytes(ImageChops.offset(Image.open(samples["mnist"][0]).convert("L"), 4, 4), "PNG")
    header = {"Content-Type": "image/png"}
    plain = client.post("/predict?model=mnist", content=shifted, headers=header).json()["predictions"]
    prepared = client.post("/predict?model=mnist&prepare=digit", content=shifted, headers=header).json()["predictions"]
    assert plain[0]["probabilities"] != prepared[0]["probabilities"]


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_page_is_blank_and_a_dot_is_no_error(client: httpx.Client, level: int) -> None:
    page = Image.new("RGB", (640, 480), (level,) * 3)
    for picture, codes in ((page.copy(), {"blank"}), (page, set())):
        if not codes:
            ImageDraw.Draw(picture).point((17, 400), fill=(255 - level if level != 128 else 0,) * 3)
        answer = client.post("/predict?model=mnist&prepare=digit", files={"file": picture_bytes(picture, "PNG")})
        assert answer.status_code == 200, answer.text
        warnings = answer.json()["predictions"][0].get("warnings", [])
        assert {warning["code"] for warning in warnings} >= codes


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("model=cifar10&prepare=digit", "light strokes on a dark ground"),
        ("model=mnist&prepare=all", "it must be none or digit"),
    ],
)
def test_what_cannot_be_prepared_is_said(client: httpx.Client, cat: bytes, query: str, part: str) -> None:
    answer = client.post(f"/predict?{query}", content=cat, headers={"Content-Type": "image/png"})
    assert answer.status_code == 400
    assert part in answer.json()["detail"]


def test_pixels_cannot_be_prepared(client: httpx.Client) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros((1, 28, 28, 1), np.uint8))
    answer = client.post(
        "/predict?model=mnist&prepare=digit", content=stream.getvalue(), headers={"Content-Type": "application/x-npy"}
    )
    assert answer.status_code == 400
    assert "needs pictures" in answer.json()["detail"]
