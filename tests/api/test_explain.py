"""``POST /explain`` as clients use it."""

import io
import re
import socket
import threading
import time
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from network.graph import Graph, GraphError
from service.api.layers import LayersEndpoint
from service.api.picture_endpoint import Picture
from service.decoding import Target
from service.errors import DeadlineExceededError
from service.http.asgi import Message, Reply
from service.http.body_budget import BodyBudget
from service.http.connection import Connection
from service.limits import RequestLimits
from service.models.catalog import ServedModel
from tests.explaining.networks import network, picture
from tests.fixtures.keys import bearer, write_keys
from tests.fixtures.models import copy_models
from tests.fixtures.tiny_models import put, tiny_metadata
from tests.process import ServerProcess

NPY = "application/x-npy"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with networks for both methods of explanation."""
    root = copy_models(tmp_path_factory.mktemp("explain") / "models", "cifar10", "mnist")
    for head in ("pooled", "flat", "hidden"):
        put(root, head, "1", network(head, name=head))
    put(root, "moving", "1", network("pooled", name="moving"))
    return root


@pytest.fixture(scope="module")
def http(models: Path) -> Iterator[httpx.Client]:
    with (
        ServerProcess(models.parent / "log", "--models-dir", str(models), "--default-model", "cifar10") as process,
        httpx.Client(base_url=process.url, timeout=30) as client,
    ):
        yield client


def png(pixels: np.ndarray) -> bytes:
    return picture_bytes(Image.fromarray(pixels), "PNG")


def predicted(http: httpx.Client) -> float:
    found = re.findall(r"^convoy_predicted_images_total\{[^}]*\} (\S+)$", http.get("/metrics").text, re.MULTILINE)
    return sum(map(float, found))


def test_a_cat_is_explained_in_every_form(http: httpx.Client, cat: bytes) -> None:
    prediction = http.post("/predict", content=cat).json()["predictions"][0]
    answer = http.post("/explain", content=cat).json()
    assert (answer["method"], answer["label"], answer["index"]) == ("occlusion", "cat", 3)
    assert answer["probability"] == pytest.approx(prediction["probability"], abs=1e-6)
    assert np.array(answer["map"]).shape == (32, 32)
    array = http.post("/explain", content=cat, headers={"Accept": NPY})
    assert np.load(io.BytesIO(array.content)) == pytest.approx(np.array(answer["map"], np.float32), abs=1e-3)
    assert array.headers["explanation-method"] == "occlusion"
    drawn = http.post("/explain", content=cat, headers={"Accept": "image/png"})
    assert Image.open(io.BytesIO(drawn.content)).size == (224, 224)


def test_another_class_has_another_map(http: httpx.Client, cat: bytes) -> None:
    dog = http.post("/explain?label=dog", content=cat).json()
    assert (dog["label"], dog["index"]) == ("dog", 5)
    assert dog["map"] != http.post("/explain", content=cat).json()["map"]
    misspelt = http.post("/explain?lable=dog", content=cat)
    assert "unknown parameter 'lable'; known: model, version, prepare, label" in misspelt.json()["detail"]
    unknown = http.post("/explain?label=cow", content=cat)
    assert (unknown.status_code, "model 'cifar10' has no label 'cow'" in unknown.json()["detail"]) == (404, True)


@pytest.mark.parametrize(
    ("model", "method"), [("pooled", "hirescam"), ("flat", "hirescam"), ("hidden", "occlusion"), ("mnist", "occlusion")]
)
def test_it_is_exact_where_the_network_allows(http: httpx.Client, model: str, method: str) -> None:
    answer = http.post(f"/explain?model={model}", content=png(picture(4))).json()
    assert answer["method"] == method
    assert len(answer["map"]) == (28 if model == "mnist" else 8)


def test_what_it_asks_is_no_prediction(http: httpx.Client, cat: bytes) -> None:
    before = predicted(http)
    assert http.post("/explain", content=cat).status_code == 200
    assert predicted(http) == before
    assert http.post("/predict", content=cat).status_code == 200
    assert predicted(http) == before + 1


def test_explanations_at_once_and_predictions_beside_them_are_right(http: httpx.Client, cat: bytes) -> None:
    alone = http.post("/explain", content=cat).json()
    expected = http.post("/predict", content=cat).json()["predictions"][0]["probability"]
    stop = threading.Event()

    def predict() -> list[float]:
        found = []
        while not stop.is_set():
            found.append(http.post("/predict", content=cat).json()["predictions"][0]["probability"])
        return found

    with ThreadPoolExecutor(6) as threads:
        busy = [threads.submit(predict) for _ in range(2)]
        asked = [threads.submit(http.post, "/explain", content=cat) for _ in range(4)]
        answers = [one.result().json() for one in asked]
        stop.set()
        for one in busy:
            assert one.result() == pytest.approx([expected] * len(one.result()), abs=1e-5)
    for answer in answers:
        assert np.array(answer["map"]) == pytest.approx(np.array(alone["map"]), abs=1e-2)


def test_it_counts_as_64(tmp_path: Path, cat: bytes) -> None:
    flags, keys = write_keys(tmp_path, "100/hour", often=("predict",))
    keys |= write_keys(tmp_path, "10/hour", seldom=("predict",))[1]
    bounds = ("--queue-capacity", "63", "--max-images-per-request", "8")
    with (
        ServerProcess(tmp_path / "log", *flags, *bounds) as process,
        httpx.Client(base_url=process.url, timeout=30) as client,
    ):
        often, seldom = bearer(keys["often"]), bearer(keys["seldom"])
        assert client.post("/explain", content=cat, headers=often).status_code == 200
        refused = client.post("/explain", content=cat, headers=often)
        assert refused.status_code == 429
        assert "retry-after" in refused.headers
        assert client.post("/predict", content=cat, headers=often).status_code == 200
        never = client.post("/explain", content=cat, headers=seldom)
        assert (never.status_code, "counts as 64" in never.json()["detail"]) == (403, True)


def test_a_file_that_changed_is_not_looked_into(http: httpx.Client, models: Path) -> None:
    (models / "moving" / "1" / "model.onnx").write_bytes(network("pooled", seed=5, name="moving"))
    answer = http.post("/explain?model=moving", content=png(picture(4)))
    assert (answer.status_code, answer.json()["method"]) == (200, "occlusion")
    layers = http.post("/layers?model=moving", content=png(picture(4)))
    assert (layers.status_code, "has changed" in layers.json()["detail"]) == (503, True)


def test_layers_are_described(http: httpx.Client, cat: bytes) -> None:
    answer = http.post("/layers", content=cat).json()
    assert answer["layers"][0]["formula"] == "(32 - 3 + 2 x 1) / 1 + 1 = 32"
    assert answer["kernels"]["shape"] == [3, 3, 3]
    assert answer["layers"][0]["maps"]["image"].startswith("data:image/png;base64,")
    assert answer["layers"][-1]["maps"] is None


async def test_a_network_is_looked_into_once_at_a_time() -> None:
    gate, entered = threading.Event(), []

    class Slow:
        def graph(self) -> Graph:
            entered.append(threading.current_thread())
            gate.wait(10)
            raise GraphError("this network has no graph")

    async def receive() -> Message:
        raise AssertionError("the body was received already")

    metadata, budget = tiny_metadata(), BodyBudget(1 << 20)
    unused: Any = None
    inspection: Any = Slow()
    model = ServedModel(metadata, Target.of(metadata), unused, "0" * 64, inspection, "cpu")
    endpoint = LayersEndpoint(RequestLimits(1 << 20, 1, 10), budget, unused)

    def ask(timeout_s: float) -> Awaitable[Reply]:
        connection, deadline = Connection(receive, budget), time.perf_counter() + timeout_s
        pixels = np.zeros((1, *metadata.input_shape), np.uint8)
        return endpoint._answer(Picture(model, pixels, None, b"", {}, deadline, connection, unused))

    for _ in range(3):
        with pytest.raises(DeadlineExceededError, match="time limit passed"):
            await ask(0.02)
    assert len(entered) <= 1, "the thread of a late request still computes"
    gate.set()
    assert b"no graph" in (await ask(10)).body


def test_too_little_time_is_said(http: httpx.Client, cat: bytes) -> None:
    head = f"POST /explain HTTP/1.1\r\nHost: x\r\nX-Request-Timeout-Ms: 1\r\nContent-Length: {len(cat)}\r\n\r\n"
    address = http.base_url.host, http.base_url.port or 80
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(head.encode() + cat)  # in one piece, since a late body could get 408
        assert connection.recv(65536).startswith(b"HTTP/1.1 504 ")
    assert http.post("/explain", content=cat).status_code == 200
