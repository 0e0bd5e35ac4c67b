"""Hostile requests to a real server: each gets a clear error, and the server keeps running and stays fast for others.

Every kind is sent on new connections; at the end the same process must answer a good picture.
"""

import base64
import gzip
import io
import json
import pickle
import random
import struct
import threading
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from tests.process import SAMPLES, ServerProcess
from tests.server.hostile import PNG, REFUSED, memory

pytestmark = pytest.mark.slow


def bombs() -> dict[str, bytes]:
    wide = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    lying = picture_bytes(Image.new("1", (8, 8)), "PNG")
    lying = lying[:16] + wide + struct.pack(">I", zlib.crc32(b"IHDR" + wide)) + lying[33:]
    second = picture_bytes(Image.new("RGB", (32, 32)), "PNG")
    header = b"\x00\x00\x00\rIHDR" + wide + struct.pack(">I", zlib.crc32(b"IHDR" + wide))
    return {
        "png": picture_bytes(Image.new("1", (20_000, 20_000)), "PNG"),
        "png of false size": lying,
        "png of two headers": second[:33] + header + second[33:],
        "gif": picture_bytes(Image.new("P", (6_000, 6_000)), "GIF"),
        "webp": picture_bytes(Image.new("RGB", (16_000, 16_000)), "WEBP", lossless=True, method=0),
        "tiff": picture_bytes(Image.new("1", (20_000, 20_000)), "TIFF", compression="group4"),
        "bmp of false size": b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
    }


def test_decompression_bombs_are_refused_before_their_pixels_are_made(
    http: httpx.Client, target: ServerProcess
) -> None:
    before = memory(target)
    for name, bomb in bombs().items():
        answer = http.post("/predict", content=bomb, headers=PNG)
        assert answer.status_code in {413, 422}, name
    assert memory(target) - before < 64 << 20


def test_small_files_of_many_pixels_do_not_hold_up_others(http: httpx.Client, cat: bytes) -> None:
    picture = picture_bytes(Image.new("RGB", (5_000, 5_000)), "WEBP", lossless=True, method=0)
    assert len(picture) < 16_384
    answers: list[int] = []

    def attack() -> None:
        answers.extend(
            httpx.post(f"{http.base_url}/predict", content=picture, headers=PNG, timeout=30).status_code
            for _ in range(4)
        )

    attackers = [threading.Thread(target=attack) for _ in range(4)]
    for attacker in attackers:
        attacker.start()
    served = 0
    while any(attacker.is_alive() for attacker in attackers):
        served += http.post("/predict", content=cat, headers=PNG).status_code == 200
    assert len(answers) == 16
    assert set(answers) <= {200, 504}
    assert served > len(answers), "others waited for each bomb"


def test_damaged_and_disguised_files_get_one_clear_error(http: httpx.Client) -> None:
    random.seed(7)
    originals = [
        picture_bytes(Image.open(SAMPLES / "cifar10_cat_0.png"), kind)
        for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
    ]
    for _ in range(300):
        data = bytearray(random.choice(originals))
        for _ in range(random.randint(1, 8)):
            data[random.randrange(len(data))] = random.randrange(256)
        del data[random.randint(1, len(data)) :]
        assert http.post("/predict", content=bytes(data), headers=PNG).status_code in {200, 413, 422, 504}


@pytest.mark.parametrize(
    "data",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"\x00\x00\x00\x0cjP  \r\n\x87\n",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"PK\x03\x04" + bytes(64),
        b"%PDF-1.7\n",
        b"SIMPLE  =                    T",
        b"\x89PNG" + b"\r\n\x1a\n" + bytes(64),
        b"GIF89a<script>alert(1)</script>",
        b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 64,
        b"II*\x00\xff\xff\xff\xff",
    ],
)
def test_only_the_spoken_formats_are_opened(http: httpx.Client, data: bytes) -> None:
    answer = http.post("/predict", content=data, headers=PNG)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["detail"]


def test_a_picture_with_something_behind_it_is_only_a_picture(http: httpx.Client, cat: bytes) -> None:
    answer = http.post("/predict", content=cat + b"PK\x03\x04<script>" * 100, headers=PNG)
    assert answer.json()["predictions"][0]["label"] == "cat"


class Exploit:
    """An object that would make a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self._path,))


def npy(header: str, data: bytes) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def test_arrays_are_never_unpickled_nor_believed(http: httpx.Client, tmp_path: Path) -> None:
    exploit = pickle.dumps(Exploit(tmp_path / "pwned"))
    stream = io.BytesIO()
    np.save(stream, np.array([Exploit(tmp_path / "pwned")], object), allow_pickle=True)
    arrays = [
        exploit,
        stream.getvalue(),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", exploit),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 32, 32, 3), }", bytes(3072)),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (10**12, 32, 32, 3), }", bytes(3072)),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 32, 32, 3), }", bytes(3072)),
        npy(
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 32, 32, 3), }",
            np.full(3072, np.nan, "<f4").tobytes(),
        ),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (True, 32, 32, 3), }", bytes(3072)),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 32, 32, 3), }", bytes(3071)),
        npy("__import__('os').system('true')", b""),
        npy("(" * 100, b""),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
    ]
    for array in arrays:
        answer = http.post("/predict", content=array, headers={"Content-Type": "application/x-npy"})
        assert answer.status_code in REFUSED, array[:80]
    assert not (tmp_path / "pwned").exists()


def test_json_of_every_evil_shape_is_refused(http: httpx.Client) -> None:
    deep = b'{"images":' * 200_000
    documents = [
        b"[" * 1_000_000,
        deep,
        b'{"images":[' + b"1e999," * 1000 + b"1]}",
        b'{"images": NaN}',
        b'{"images": ["\\ud800"]}',
        b'{"images": []}',
        b"\xff\xfe{\x00}\x00",
        b'{"images": [' + b'"",' * 100_000 + b'""]}',
        json.dumps({"images": ["data:image/png;base64," + base64.b64encode(b"x" * 9).decode()]}).encode(),
        b'{"a":1,' * 50_000,
    ]
    for document in documents:
        answer = http.post("/predict", content=document, headers={"Content-Type": "application/json"})
        assert answer.status_code in REFUSED, document[:60]


def test_forms_of_every_evil_shape_are_refused(http: httpx.Client) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\r\n'
    forms = [
        part * 50_000 + b"--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="' + b"a" * 1_000_000 + b'"\r\n\r\n\r\n--x--\r\n',
        b"--x\r\n" + b"".join(b"A%d: b\r\n" % number for number in range(50_000)) + b"\r\n\r\n--x--\r\n",
        part,
        b"--x" * 100_000,
        b"\r\n--" * 500_000,
        b"",
    ]
    for form in forms:
        answer = http.post("/predict", content=form, headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert answer.status_code in REFUSED, form[:60]
    for boundary in ("", "x" * 100_000, "\x01", '"'):
        answer = http.post(
            "/predict", content=part, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"[:60_000]}
        )
        assert answer.status_code in {*REFUSED, 431}


def inference(raw: bytes = b"", **tensor: object) -> bytes:
    document = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 32, 32, 3], **tensor}]}
    return json.dumps(document).encode() + raw


def test_tensors_of_every_evil_shape_are_refused(http: httpx.Client) -> None:
    size = {"binary_data_size": 3072}
    encoded = {"name": "encoded", "datatype": "BYTES", "shape": [1]}
    bodies: list[tuple[bytes, int | None]] = [
        *((inference(shape=shape, data=[0] * 3072), None) for shape in ([-1, 32, 32, 3], [1.5, 32], [True], [10**400])),
        *(
            (inference(shape=shape, data=[]), None)
            for shape in ([10**12, 32, 32, 3], [0, 32, 32, 3], [], "x", {}, [[1]])
        ),
        *((inference(data=data), None) for data in ([float("nan")] * 3072, [1e308] * 3072, [256] * 3072, [-1] * 3072)),
        *(
            (inference(data=data), None)
            for data in (["1"] * 3072, [True] * 3072, [[1], [2, 3]], [10**400], "x", {}, [])
        ),
        (b'{"inputs":[{"name":"image","datatype":"UINT8","shape":[1],"data":' + b"[" * 500_000, None),
        (b'{"inputs":[' + b"{}," * 100_000 + b"{}]}", None),
        (b'{"inputs":' + b'[{"inputs":' * 100_000, None),
        (inference(name="x" * 1_000_000, data=[]), None),
        (inference(datatype="U" * 1_000_000, data=[]), None),
        (inference(parameters={"shared_memory_region": "x"}), None),
        (inference(parameters={"binary_data_size": 10**18}), None),
        (inference(bytes(3072), parameters=size), None),
        (inference(bytes(3071), parameters=size), len(inference(parameters=size))),
        (inference(bytes(3073), parameters=size), len(inference(parameters=size))),
        (inference(bytes(3072), parameters=size), 10**9),
        (inference(bytes(3072), parameters=size), 0),
        (inference(bytes(3072), parameters=size), -1),
    ]
    for prefix in (b"\xff\xff\xff\xff", b"\x00\x00\x00", b"\x01\x00\x00\x00", b"\x00\x00\x00\x00" * 2, b"\x00" * 4):
        head_of = json.dumps({"inputs": [{**encoded, "parameters": {"binary_data_size": len(prefix)}}]}).encode()
        bodies.append((head_of + prefix, len(head_of)))
    for body, length in bodies:
        headers = {} if length is None else {"Inference-Header-Content-Length": str(length)}
        answer = http.post("/v2/models/cifar10/infer", content=body, headers=headers)
        assert answer.status_code in REFUSED, body[:80]
        assert list(answer.json()) == ["error"]
        assert len(answer.content) < 1000


def test_gzip_bombs_are_refused_when_they_pass_the_limit(http: httpx.Client, target: ServerProcess) -> None:
    bomb = gzip.compress(bytes(1 << 30), 1)
    nested = gzip.compress(gzip.compress(bytes(64 << 20)))
    before = memory(target)
    for body in (
        bomb[: 15 << 20],
        nested,
        gzip.compress(b"x")[:-4],
        gzip.compress(b"x") + b"tail",
        b"\x1f\x8b" + bytes(99),
    ):
        answer = http.post("/predict", content=body, headers={**PNG, "Content-Encoding": "gzip"})
        assert answer.status_code in REFUSED
    assert memory(target) - before < 128 << 20
