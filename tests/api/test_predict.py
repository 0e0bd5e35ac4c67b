"""``POST /predict`` as clients use it: every body, every answer, every refusal."""

import base64
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import npy_bytes
from tests.fixtures.pictures import first_test_images

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
PNG = {"Content-Type": "image/png"}
NPY = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    """The body of an error, checked against RFC 9457."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert document["status"] == status
    assert "Traceback" not in answer.text
    return document


def test_a_cat_is_a_cat_with_ten_probabilities(client: httpx.Client, cat: bytes) -> None:
    answer = client.post("/predict", content=cat, headers=PNG)
    assert answer.status_code == 200
    document = answer.json()
    assert document["model"] == "cifar10"
    [prediction] = document["predictions"]
    assert (prediction["label"], prediction["index"]) == ("cat", 3)
    assert list(prediction["probabilities"]) == CLASSES
    assert prediction["probability"] == prediction["probabilities"]["cat"] == max(prediction["probabilities"].values())
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert "top" not in prediction


def test_top_k_lists_the_best_labels_in_order(client: httpx.Client, cat: bytes) -> None:
    [prediction] = client.post("/predict?top_k=3", content=cat, headers=PNG).json()["predictions"]
    ranked = sorted(prediction["probabilities"].items(), key=lambda item: -item[1])[:3]
    assert [(entry["label"], entry["probability"]) for entry in prediction["top"]] == ranked
    assert [CLASSES[entry["index"]] for entry in prediction["top"]] == [label for label, _ in ranked]
    many = client.post("/predict?top_k=99", content=cat, headers=PNG).json()["predictions"][0]
    assert len(many["top"]) == 10


@pytest.mark.parametrize("model", ["cifar10", "mnist"])
def test_most_sample_pictures_are_recognised(client: httpx.Client, samples: dict[str, list[Path]], model: str) -> None:
    files = [("file", (path.name, path.read_bytes())) for path in samples[model]]
    document = client.post("/predict", params={"model": model}, files=files).json()
    right = [
        path.name.split("_")[1] == prediction["label"]
        for path, prediction in zip(samples[model], document["predictions"], strict=True)
    ]
    assert len(right) == 20
    assert sum(right) >= (13 if model == "cifar10" else 20)


def bodies(cat: bytes) -> dict[str, Callable[[httpx.Client, str], httpx.Response]]:
    pixels = np.asarray(Image.open(io.BytesIO(cat)))[np.newaxis]
    text = base64.b64encode(cat).decode()
    return {
        "raw": lambda client, url: client.post(url, content=cat, headers=PNG),
        "octet-stream": lambda client, url: client.post(
            url, content=cat, headers={"Content-Type": "application/octet-stream"}
        ),
        "multipart": lambda client, url: client.post(url, files={"file": ("cat.png", cat, "image/png")}),
        "json": lambda client, url: client.post(url, json={"images": [text]}),
        "data url": lambda client, url: client.post(url, json={"images": [f"data:image/png;base64,{text}"]}),
        "npy": lambda client, url: client.post(
            url, content=npy_bytes(pixels), headers={"Content-Type": "application/x-npy"}
        ),
        "gzip": lambda client, url: client.post(
            url, content=gzip.compress(cat), headers={**PNG, "Content-Encoding": "gzip"}
        ),
        "chunked": lambda client, url: client.post(url, content=iter([cat[:100], cat[100:]]), headers=PNG),
    }


@pytest.mark.parametrize("body", ["octet-stream", "multipart", "json", "data url", "npy", "gzip", "chunked"])
@pytest.mark.parametrize("path", ["/predict", "/models/cifar10/predict", "/models/cifar10/versions/1/predict"])
def test_every_body_and_every_path_gives_the_same_answer(
    client: httpx.Client, cat: bytes, body: str, path: str
) -> None:
    kinds = bodies(cat)
    expected = kinds["raw"](client, path).json()
    answer = kinds[body](client, path)
    assert answer.status_code == 200, answer.text
    if body == "multipart":
        expected["predictions"][0]["file"] = "cat.png"  # only this body names its file
    assert answer.json() == expected
    if path.endswith("versions/1/predict"):
        assert expected["version"] == "1"


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("JPEG", {"quality": 95}), ("WEBP", {"quality": 95}), ("BMP", {}), ("GIF", {}), ("TIFF", {})],
)
def test_all_formats_classify_all_samples_alike(
    client: httpx.Client, samples: dict[str, list[Path]], kind: str, options: dict[str, object]
) -> None:
    for model, paths in samples.items():
        original = [("file", (path.name, path.read_bytes())) for path in paths]
        recoded = []
        for path in paths:
            stream = io.BytesIO()
            with Image.open(path) as picture:
                picture.save(stream, kind, **options)
            recoded.append(("file", (path.stem, stream.getvalue())))
        url = f"/models/{model}/predict"
        expected = [entry["label"] for entry in client.post(url, files=original).json()["predictions"]]
        labels = [entry["label"] for entry in client.post(url, files=recoded).json()["predictions"]]
        agreeing = sum(one == other for one, other in zip(expected, labels, strict=True))
        assert agreeing >= (20 if kind in {"PNG", "BMP", "TIFF"} else 17), f"{model} as {kind}"


@pytest.mark.parametrize("model", ["cifar10", "mnist"])
def test_bulk_pixels_get_bulk_probabilities(client: httpx.Client, model: str) -> None:
    images = first_test_images(model)[:300]
    answer = client.post("/predict", params={"model": model}, content=npy_bytes(images), headers=NPY)
    assert answer.headers["content-type"] == "application/x-npy"
    rows = np.load(io.BytesIO(answer.content))
    assert rows.shape == (300, 10)
    assert rows.dtype == np.float32
    one = client.post("/predict", params={"model": model}, content=npy_bytes(images[7:8]), headers=NPY)
    assert np.load(io.BytesIO(one.content)) == pytest.approx(rows[7:8], abs=1e-6)


def test_every_answer_tells_its_stages_and_carries_an_id(client: httpx.Client, cat: bytes) -> None:
    answer = client.post("/predict", content=cat, headers={**PNG, "X-Request-ID": "trace-42"})
    assert answer.headers["x-request-id"] == "trace-42"
    stages = dict(part.strip().split(";") for part in answer.headers["server-timing"].split(","))
    assert list(stages) == ["decode", "queue", "inference", "batch"]
    assert float(stages["inference"].removeprefix("dur=")) > 0
    assert stages["batch"] == "desc=1"


def test_an_id_that_cannot_stand_in_a_log_is_replaced(client: httpx.Client, cat: bytes) -> None:
    made = [client.post("/predict", content=cat, headers={**PNG, "X-Request-ID": "a b"}) for _ in range(2)]
    assert len({answer.headers["x-request-id"] for answer in made} | {"a b"}) == 3


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("/predict?model=resnet", "no model 'resnet' is served; served: cifar10, mnist"),
        ("/predict?version=9", "has no version '9'; it has 1"),
        ("/models/resnet/predict", "no model 'resnet'"),
        ("/models/mnist/versions/77/predict", "model 'mnist' has no version '77'"),
    ],
)
def test_an_unknown_model_or_version_is_404_and_says_which_there_are(
    client: httpx.Client, cat: bytes, url: str, detail: str
) -> None:
    assert detail in str(problem(client.post(url, content=cat, headers=PNG), 404)["detail"])


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("/predict?top_k=0", "top_k is '0'; it must be a whole number from 1 up"),
        ("/predict?top_k=three", "top_k"),
        ("/predict?modle=mnist", "unknown parameter 'modle'; known: model, version, top_k"),
        ("/predict?model=mnist&model=cifar10", "given twice"),
        ("/models/mnist/predict?model=cifar10", "name it once"),
        ("/predict?" + "&" * 17, "more than 16 parameters"),
    ],
)
def test_a_wrong_parameter_is_400_and_says_what_is_right(
    client: httpx.Client, cat: bytes, url: str, detail: str
) -> None:
    assert detail in str(problem(client.post(url, content=cat, headers=PNG), 400)["detail"])


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({"Content-Type": "text/plain"}, "'text/plain' is not accepted; send multipart/form-data"),
        ({**PNG, "Content-Encoding": "br"}, "gzip, deflate or none"),
    ],
)
def test_a_wrong_media_type_is_415_and_says_which_are_right(
    client: httpx.Client, cat: bytes, headers: dict[str, str], detail: str
) -> None:
    assert detail in str(problem(client.post("/predict", content=cat, headers=headers), 415)["detail"])


@pytest.mark.parametrize(
    ("body", "content_type", "detail"),
    [
        (b"{", "application/json", "not JSON"),
        (b"[1]", "application/json", '{"images": ["<base64>", ...]}'),
        (b'{"images": []}', "application/json", "one string or more"),
        (b'{"images": [7]}', "application/json", "one string or more"),
        (b"[" * 100_000, "application/json", "not JSON"),
        (b"anything", "multipart/form-data", "boundary"),
        (b"anything", "multipart/form-data; boundary=x", "broken"),
        (b"--x\r\n\r\n", "multipart/form-data; boundary=x", "broken"),
        (
            b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            "no part named `file`; it has image",
        ),
        (b"\x93NUMPY", "application/x-npy", "numpy.save"),
    ],
)
def test_a_malformed_body_is_400(client: httpx.Client, body: bytes, content_type: str, detail: str) -> None:
    answer = client.post("/predict", content=body, headers={"Content-Type": content_type})
    assert detail in str(problem(answer, 400)["detail"])


def test_what_is_no_picture_is_422_with_index_and_name(client: httpx.Client, cat: bytes) -> None:
    files = [("file", ("cat.png", cat)), ("file", ("notes.txt", b"hello")), ("file", ("cut.png", cat[:700]))]
    document = problem(client.post("/predict", files=files), 422)
    errors = document["errors"]
    assert isinstance(errors, list)
    assert [(error["index"], error["filename"]) for error in errors] == [(1, "notes.txt"), (2, "cut.png")]
    assert "PNG, JPEG, WebP, BMP, GIF, TIFF, AVIF or HEIC" in errors[0]["detail"]
    document = problem(client.post("/predict", json={"images": ["%%%"]}), 422)
    assert "base64" in str(document["errors"])


def test_pixels_of_another_shape_are_422(client: httpx.Client) -> None:
    answer = client.post("/predict", content=npy_bytes(np.zeros((1, 28, 28, 1), np.uint8)), headers=NPY)
    assert "[N, 32, 32, 3]" in str(problem(answer, 422)["errors"])


@pytest.mark.parametrize(
    ("body", "headers", "detail"),
    [
        (bytes(33 << 20), PNG, "at most 33554432"),
        (iter([bytes(1 << 20)] * 33), PNG, "33554432"),
        (gzip.compress(bytes(33 << 20)), {**PNG, "Content-Encoding": "gzip"}, "once inflated"),
        (npy_bytes(np.zeros((1025, 32, 32, 3), np.uint8)), NPY, "1025 images in one request; at most 1024"),
    ],
    ids=["long", "endless", "gzip bomb", "many"],
)
def test_too_much_is_413_and_says_how_much_is_allowed(
    client: httpx.Client, body: bytes, headers: dict[str, str], detail: str
) -> None:
    assert detail in str(problem(client.post("/predict", content=body, headers=headers), 413)["detail"])


def test_a_bomb_is_413(client: httpx.Client) -> None:
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    answer = client.post("/predict", content=stream.getvalue(), headers=PNG)
    assert "20000 x 20000 pixels" in str(problem(answer, 413)["detail"])


def test_a_time_limit_that_cannot_be_met_is_504(client: httpx.Client) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (4000, 4000)).save(stream, "PNG")  # small to send, long to decode
    answer = client.post("/predict", content=stream.getvalue(), headers={**PNG, "X-Request-Timeout-Ms": "20"})
    problem(answer, 504)
    problem(client.post("/predict", content=b"", headers={**PNG, "X-Request-Timeout-Ms": "soon"}), 400)


def test_the_service_goes_on_after_all_that(client: httpx.Client, cat: bytes) -> None:
    for data in (b"", b"\x89PNG", cat[:50], bytes(1000)):
        problem(client.post("/predict", content=data, headers=PNG), 422)
    assert client.post("/predict", content=cat, headers=PNG).status_code == 200
