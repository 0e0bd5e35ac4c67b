"""``POST /preprocess`` returns the pixels that ``/predict`` gives to the network."""

import base64
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import picture_bytes

NPY = "application/x-npy"


def noise(width: int, height: int) -> bytes:
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)
    return picture_bytes(Image.fromarray(pixels), "PNG")


def test_the_pixels_give_the_prediction_of_the_picture(client: httpx.Client) -> None:
    picture = noise(90, 61)
    pixels = client.post("/preprocess", content=picture, headers={"Accept": NPY}).content
    assert np.load(io.BytesIO(pixels)).shape == (1, 32, 32, 3)
    direct = client.post("/predict", content=picture).json()["predictions"][0]
    again = client.post("/predict", content=pixels, headers={"Content-Type": NPY}).json()["predictions"][0]
    assert again["probabilities"] == pytest.approx(direct["probabilities"], abs=1e-6)
    shown = client.post("/preprocess", content=picture).json()
    assert client.post("/preprocess", content=pixels, headers={"Content-Type": NPY}).status_code == 415
    as_png = client.post("/preprocess", content=picture, headers={"Accept": "image/png"}).content
    assert base64.b64decode(shown["image"].partition(",")[2]) == as_png
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(as_png))), np.load(io.BytesIO(pixels))[0])


@pytest.mark.parametrize(
    ("model", "size", "box"),
    [
        ("cifar10", (640, 480), (80, 0, 560, 480)),
        ("cifar10", (30, 300), (0, 135, 30, 165)),
        ("cifar10", (32, 32), (0, 0, 32, 32)),
        ("mnist", (200, 100), (0, 0, 200, 100)),
    ],
)
def test_the_box_is_what_the_network_gets(
    client: httpx.Client, model: str, size: tuple[int, int], box: tuple[int, ...]
) -> None:
    answer = client.post(f"/preprocess?model={model}", files={"file": noise(*size)}).json()
    assert (answer["source"]["width"], answer["source"]["height"]) == size
    assert tuple(answer["box"].values()) == pytest.approx(box)


def test_turned_pictures_are_measured_upright(client: httpx.Client) -> None:
    exif = Image.Exif()
    exif[274] = 6
    stream = io.BytesIO()
    Image.new("RGB", (80, 40), "red").save(stream, "JPEG", exif=exif)
    answer = client.post("/preprocess", content=stream.getvalue()).json()
    assert answer["source"] == {"width": 40, "height": 80}
    assert answer["box"] == {"left": 0.0, "top": 20.0, "right": 40.0, "bottom": 60.0}
    assert [warning["code"] for warning in answer["warnings"]] == ["blank", "cropped", "turned"]


def test_the_box_of_a_drawn_digit_is_that_of_its_strokes(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    page = Image.new("L", (200, 300), 255)
    page.paste(0, (50, 100, 70, 190))
    answer = client.post("/preprocess?model=mnist&prepare=digit", content=picture_bytes(page, "PNG")).json()
    assert tuple(answer["box"].values()) == pytest.approx((50, 100, 70, 190))
    assert len(samples["mnist"]) == 20


@pytest.mark.parametrize(
    ("query", "status", "part"),
    [
        ("top_k=3", 400, "unknown parameter 'top_k'; known: model, version, prepare"),
        ("on_error=report", 400, "unknown parameter 'on_error'"),
        ("label=cat", 400, "unknown parameter"),
        ("model=mnist&model=cifar10", 400, "twice"),
        ("model=nobody", 404, "no model"),
        ("&".join(f"a{number}=1" for number in range(40)), 400, "more than 16"),
    ],
)
def test_what_is_wrong_is_said(client: httpx.Client, cat: bytes, query: str, status: int, part: str) -> None:
    answer = client.post(f"/preprocess?{query}", content=cat)
    assert (answer.status_code, part in answer.json()["detail"]) == (status, True), answer.text


def test_a_body_has_the_same_parameters(client: httpx.Client, cat: bytes) -> None:
    for body, known in (
        ({"files": {"file": cat}, "data": {"top_k": "3"}}, "unknown form field 'top_k'; known: file, model, version,"),
        ({"json": {"images": [""], "top_k": 3}}, "unknown member 'top_k'; known: images, model, version, prepare"),
    ):
        answer = client.post("/preprocess", **body)  # type: ignore[arg-type]
        assert (answer.status_code, known in answer.json()["detail"]) == (400, True), answer.text


def test_one_picture_a_request(client: httpx.Client, cat: bytes) -> None:
    files = [("file", ("a.png", cat)), ("file", ("b.png", cat))]
    assert client.post("/preprocess", files=files).status_code == 400
    text = base64.b64encode(cat).decode()
    assert client.post("/preprocess", json={"images": [text]}).json()["model"] == "cifar10"
    assert client.post("/preprocess", json={"images": [text, text]}).status_code == 400
    assert client.post("/preprocess", content=b"no picture").status_code == 422
    assert client.post("/preprocess", content=cat, headers={"Accept": "text/csv"}).status_code == 406
    assert client.get("/preprocess").status_code == 405
