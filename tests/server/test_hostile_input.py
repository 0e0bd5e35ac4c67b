"""What strangers send to a real server: it answers each with one clear error, stays up, and stays quick for others.

Every kind is sent on connections of its own; at the end the same process must answer a good picture.
"""

import base64
import contextlib
import gzip
import io
import json
import pickle
import random
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.process import SAMPLES, ServerProcess

PNG = {"Content-Type": "image/png"}
REFUSED = {400, 413, 415, 422}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that gives up on slow senders soon, and has little room."""
    flags = ("--request-timeout-s", "1", "--max-body-bytes-in-flight", str(17 << 20))
    with ServerProcess(tmp_path_factory.mktemp("hostile") / "log", *flags) as process:
        yield process


@pytest.fixture
def http(target: ServerProcess, cat: bytes) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=target.url, timeout=30) as client:
        yield client
        answer = client.post("/predict", content=cat, headers=PNG)
        assert answer.json()["predictions"][0]["label"] == "cat"
    log = target.log.read_text()
    assert "Traceback" not in log
    assert "internal" not in log


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def wire(target: ServerProcess) -> socket.socket:
    address = urlsplit(target.url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def until_closed(connection: socket.socket) -> bytes:
    """Everything that the server says before it closes the connection."""
    said = b""
    try:
        while chunk := connection.recv(65536):
            said += chunk
    except ConnectionError:
        pass
    return said


def pour(connection: socket.socket, chunk: bytes) -> bytes:
    """Sends without end, until the server has had enough; returns what it said."""
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.append(until_closed(connection)))
    reader.start()
    try:
        while reader.is_alive():
            connection.sendall(chunk)
    except OSError:
        pass
    reader.join()
    return said[0]


def memory(target: ServerProcess) -> int:
    return psutil.Process(target.process.pid).memory_info().rss


def bombs() -> dict[str, bytes]:
    wide = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    lying = encode(Image.new("1", (8, 8)), "PNG")
    lying = lying[:16] + wide + struct.pack(">I", zlib.crc32(b"IHDR" + wide)) + lying[33:]
    second = encode(Image.new("RGB", (32, 32)), "PNG")
    header = b"\x00\x00\x00\rIHDR" + wide + struct.pack(">I", zlib.crc32(b"IHDR" + wide))
    return {
        "png": encode(Image.new("1", (20_000, 20_000)), "PNG"),
        "png of false size": lying,
        "png of two headers": second[:33] + header + second[33:],
        "gif": encode(Image.new("P", (6_000, 6_000)), "GIF"),
        "webp": encode(Image.new("RGB", (16_000, 16_000)), "WEBP", lossless=True, method=0),
        "tiff": encode(Image.new("1", (20_000, 20_000)), "TIFF", compression="group4"),
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
    picture = encode(Image.new("RGB", (5_000, 5_000)), "WEBP", lossless=True, method=0)
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
        encode(Image.open(SAMPLES / "cifar10_cat_0.png"), kind)
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
    """Unpickled, it would make a file."""

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


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST /predict HTTP/1.1", "Host: x", "Content-Type: image/png", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "endless", [b"x-h: " + b"a" * 1000 + b"\r\n", b"a" * 65_536, b"\x00" * 65_536], ids=["many", "long", "nothing"]
)
def test_endless_headers_are_cut_off(http: httpx.Client, target: ServerProcess, endless: bytes) -> None:
    before = memory(target)
    with wire(target) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nx-a: ")
        said = pour(connection, endless)
    assert said.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")) or said == b""
    assert memory(target) - before < 32 << 20
    assert http.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    "endless",
    [b"10000\r\n" + b"a" * 65_536 + b"\r\n", b"1;" + b"x" * 65_536, b"0\r\n" + b"x-t: " + b"a" * 65_536],
    ids=["chunks", "chunk extension", "trailer"],
)
def test_endless_bodies_are_cut_off(http: httpx.Client, target: ServerProcess, endless: bytes) -> None:
    before = memory(target)
    with wire(target) as connection:
        connection.sendall(head("Transfer-Encoding: chunked"))
        connection.sendall(endless)
        said = pour(connection, b"a" * 65_536 if not endless.startswith(b"10000") else endless)
    assert said.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400", b"HTTP/1.1 408")) or said == b""
    assert memory(target) - before < 96 << 20
    assert http.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    ("lines", "body", "statuses"),
    [
        (("Content-Length: 99999999999999999999",), b"", (b"400",)),
        (("Content-Length: 999999999999",), b"", (b"413",)),
        (("Content-Length: -1",), b"", (b"400",)),
        (("Content-Length: 5", "Content-Length: 6"), b"hello", (b"400",)),
        (("Content-Length: 5", "Transfer-Encoding: chunked"), b"0\r\n\r\n", (b"400",)),
        (("Transfer-Encoding: chunked, identity",), b"0\r\n\r\n", (b"400", b"422", b"408")),
        (("Transfer-Encoding: chunked",), b"fffffffffffffffff\r\n", (b"400",)),
        (("Transfer-Encoding: chunked",), b"zz\r\n", (b"400",)),
        (("Content-Length: 100",), b"less", (b"408",)),
        (("Content-Length: 2",), b"more than that", (b"400", b"422")),
    ],
)
def test_a_length_that_lies_is_found_out(
    http: httpx.Client, target: ServerProcess, lines: tuple[str, ...], body: bytes, statuses: tuple[bytes, ...]
) -> None:
    with wire(target) as connection:
        connection.sendall(head(*lines) + body)
        assert connection.recv(65536).split()[1] in statuses
    assert http.get("/health/live").status_code == 200


def test_slow_senders_are_given_up_on_and_cost_nobody_else(
    http: httpx.Client, target: ServerProcess, cat: bytes
) -> None:
    slow = [wire(target) for _ in range(200)]
    for connection in slow[:100]:
        connection.sendall(head("Content-Length: 1000000")[:-20])  # never the end of its headers
    for connection in slow[100:]:
        connection.sendall(head("Content-Length: 1000000") + b"a")  # never the rest of its body
    assert http.post("/predict", content=cat, headers=PNG).status_code == 200
    for connection in slow[100:]:
        assert connection.recv(65536).startswith(b"HTTP/1.1 408")
    for connection in slow:
        until_closed(connection)
        connection.close()


@pytest.mark.usefixtures("http")
def test_bodies_in_flight_have_a_limit_together(target: ServerProcess) -> None:
    before = memory(target)
    large = 15 << 20
    connections = [wire(target) for _ in range(20)]
    statuses = []

    def send(connection: socket.socket) -> None:
        connection.sendall(head(f"Content-Length: {large}"))
        with contextlib.suppress(OSError):
            connection.sendall(bytes(large - 1))  # all but its last byte
        statuses.append(connection.recv(65536).split()[1])

    senders = [threading.Thread(target=send, args=(connection,)) for connection in connections]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    for connection in connections:
        connection.close()
    assert b"503" in statuses
    assert set(statuses) <= {b"503", b"408"}
    assert memory(target) - before < 128 << 20, "20 bodies of 15 MiB were held"


def test_connections_past_the_limit_are_told_so(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log", "--max-connections", "5") as process:
        held = [wire(process) for _ in range(5)]
        for connection in held:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        refused = httpx.post(f"{process.url}/predict", content=cat, headers=PNG)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["connection"] == "close"
        held.pop().close()
        while httpx.get(f"{process.url}/health/live").status_code != 200:
            pass
        for connection in held:
            connection.close()
