"""Refused bodies do not stay in memory: every kind of refusal is sent many times to one real process."""

import base64
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pytest

from bench.request_bytes import npy_bytes
from tests.process import ServerProcess
from tests.server.hostile import PNG, head, memory, wire

pytestmark = pytest.mark.slow

MIB = 1 << 20
LENGTH = 15 * MIB - 8192
ROUNDS = 3
MOST_GROWTH = 60_000_000

JSON = {"Content-Type": "application/json"}
NPY = {"Content-Type": "application/x-npy"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
INFER = "/v2/models/cifar10/infer"


class Refusal(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes
    statuses: set[int]


def form(name: str, data: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a"\r\n\r\n%s\r\n--x--\r\n' % (
        name.encode(),
        data,
    )


def tensor(name: str, datatype: str, shape: list[int], raw: bytes) -> tuple[dict[str, str], bytes]:
    entry = {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
    document = json.dumps({"inputs": [entry]}).encode()
    return {"Inference-Header-Content-Length": str(len(document))}, document + raw


def refusals() -> Iterator[Refusal]:
    noise = os.urandom(LENGTH)
    text = base64.b64encode(noise[: LENGTH * 3 // 4 - 256]).decode()
    packed = gzip.compress(noise, 1)
    gzipped = {**PNG, "Content-Encoding": "gzip"}
    encoded = {"inputs": [{"name": "encoded", "datatype": "BYTES", "shape": [1], "data": [text]}]}
    yield Refusal("/predict", JSON, json.dumps({"images": [text]}).encode(), {422})
    yield Refusal("/predict", JSON, b'{"images": ["' + text.encode(), {413})  # open strings count as blanks
    yield Refusal("/predict", NPY, npy_bytes(np.frombuffer(noise, np.uint8)), {422})
    yield Refusal("/predict", NPY, npy_bytes(np.zeros((5000, 32, 32, 3), np.uint8)), {413})
    yield Refusal("/predict", PNG, noise, {422})
    yield Refusal("/predict", PNG, noise + noise[: 2 * MIB], {413})
    yield Refusal("/predict", {"Content-Type": "text/x"}, noise, {415})
    yield Refusal("/predict", FORM, form("file", noise), {422})
    yield Refusal("/predict", FORM, form("other", noise), {400})
    yield Refusal("/predict", gzipped, packed[:-100], {400})
    yield Refusal("/predict", gzipped, packed, {422})
    yield Refusal("/models/none/predict", PNG, noise, {404})
    yield Refusal(INFER, JSON, json.dumps(encoded).encode(), {422})
    yield Refusal(INFER, JSON, json.dumps(encoded).encode()[:-1], {400})
    headers, body = tensor("image", "UINT8", [5, 32, 32, 3], noise)
    yield Refusal(INFER, headers, body, {400})
    headers, body = tensor("encoded", "BYTES", [1], (LENGTH - 4).to_bytes(4, "little") + noise[:-4])
    yield Refusal(INFER, headers, body, {422})
    pictures = npy_bytes(np.zeros((1024, 32, 32, 3), np.uint8))
    yield Refusal("/predict", {**NPY, "X-Request-Timeout-Ms": "20"}, pictures, {200, 408, 504})


def test_no_kind_of_refusal_keeps_its_body(tmp_path: Path, cat: bytes) -> None:
    statuses: Counter[int] = Counter()
    limit = ("--max-body-bytes", str(16 * MIB))
    with ServerProcess(tmp_path / "log", *limit) as process, httpx.Client(base_url=process.url, timeout=30) as client:
        assert client.post("/predict", content=cat, headers=PNG).status_code == 200
        before = memory(process)
        for path, headers, body, expected in refusals():
            for _ in range(ROUNDS):
                status = client.post(path, content=body, headers=headers).status_code
                assert status in expected, path
                statuses[status] += 1
        assert memory(process) - before < MOST_GROWTH
    assert {400, 404, 413, 415, 422} <= statuses.keys()


def test_bodies_that_find_no_room_are_let_go(tmp_path: Path) -> None:
    flags = ("--max-body-bytes", str(16 * MIB), "--max-body-bytes-in-flight", str(24 * MIB))
    with ServerProcess(tmp_path / "log", *flags) as process, wire(process) as holder:
        holder.sendall(head(f"Content-Length: {LENGTH}"))
        holder.sendall(bytes(LENGTH - 1))
        before = memory(process)

        def post(body: bytes) -> int:
            return httpx.post(f"{process.url}/predict", content=body, headers=PNG, timeout=30).status_code

        with ThreadPoolExecutor(16) as clients:
            assert set(clients.map(post, [bytes(LENGTH)] * 16)) == {503}
        assert memory(process) - before < MOST_GROWTH
