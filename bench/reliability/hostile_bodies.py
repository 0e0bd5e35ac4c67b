"""Requests that are made to be expensive: each is small enough to be read, and none may block the event loop for long.

For comparison there are also honest requests, the largest that a service with default settings accepts.
"""

import base64
import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import orjson

from bench.request_bytes import npy_bytes

MOST_IMAGES = 1024
MOST_BYTES = 32 << 20
_ROOM_BYTES = 1024
_MODEL = "/v2/models/cifar10/infer"
_LENGTH_HEADER = "Inference-Header-Content-Length"
_PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
_END = b"\r\n--x--\r\n"


@dataclass(frozen=True, slots=True)
class HeavyRequest:
    """A request. The right answer is 4xx, or 200 for those whose name begins with ``honest``.

    Attributes:
        name: a description, for reports.
        path: with its query.
        body: the whole body.
        headers: in addition to Content-Length.
    """

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def heavy_requests() -> Iterator[HeavyRequest]:
    """Yields all kinds one by one, since together they would take a gigabyte."""
    yield from hostile_requests(MOST_BYTES)
    yield from _honest()


def hostile_requests(most_bytes: int) -> Iterator[HeavyRequest]:
    """The requests that must be refused.

    Args:
        most_bytes: the largest size of a body.
    """
    yield from _json_bodies(most_bytes)
    yield from _forms(most_bytes)
    yield from _arrays_and_heads()
    yield from _tensors(most_bytes)


def _filler(most_bytes: int) -> Callable[..., bytes]:
    def fill(unit: bytes, head: bytes = b"", tail: bytes = b"") -> bytes:
        """As many units as fit between head and tail."""
        return head + unit * ((most_bytes - len(head) - len(tail) - _ROOM_BYTES) // len(unit)) + tail

    return fill


def _noise(most_bytes: int) -> bytes:
    """Base64 of random bytes, which are no picture."""
    return base64.b64encode(np.random.default_rng(0).bytes(most_bytes * 7 // 10))


def _json_bodies(most_bytes: int) -> Iterator[HeavyRequest]:
    fill = _filler(most_bytes)
    images = b'{"images":["'
    text = _noise(most_bytes)
    bodies = {
        "strings": fill(b'"",', b'{"images":[', b'""]}'),
        "lists": fill(b"[],", b'{"images":[', b"[]]}"),
        "objects": fill(b"{},", b'{"images":[', b"{}]}"),
        "numbers": fill(b"0,", b'{"images":[', b"0]}"),
        "members": fill(b'"a":0,', b"{", b'"images":[]}'),
        "depth": fill(b"["),
        "depth of objects": fill(b'{"images":'),
        "one long number": fill(b"9", b'{"images":["AAAA"],"top_k":', b"}"),
        "escapes": fill(b"\\n", images, b'"]}'),
        "unicode escapes": fill(b"\\u0041", images, b'"]}'),
        "no ASCII": fill("é".encode(), images, b'"]}'),
        "no UTF-8": fill(b"A", images, b'\xff"]}'),
        "blanks": fill(b" ", images, b'"]}'),
        "blanks around": fill(b" ", b'{"images":["AAAA"]', b"}"),
        "long model": fill(b"A", b'{"images":["AAAA"],"model":"', b'"}'),
        "twice": b'{"images":["%b"],"images":["AAAA"]}' % text,
        "base64": b'{"images":["%b"]}' % text,
        "base64 with a fault": b'{"images":["%b.AAA"]}' % text,
        "base64 in lines": b'{"images":["%b"]}' % _in_lines(text[: most_bytes * 9 // 10]),
        "1,024 texts that are no base64": orjson.dumps({"images": ["A" * (most_bytes // 1100) + "."] * MOST_IMAGES}),
        "escaped quotation marks": fill(b'\\"', images, b'"]}'),
        "backslashes": fill(b"\\", images, b'"]}'),
        "padding": fill(b"=", images, b'"]}'),
    }
    for name, body in bodies.items():
        yield HeavyRequest(f"JSON: {name}", "/predict", body, {"Content-Type": "application/json"})
    zipped = gzip.compress(bodies["strings"])
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    yield HeavyRequest("JSON: strings, in gzip", "/predict", zipped, headers)


def _in_lines(text: bytes) -> bytes:
    return b"\\r\\n".join(text[at : at + 76] for at in range(0, len(text), 76))


def _forms(most_bytes: int) -> Iterator[HeavyRequest]:
    fill = _filler(most_bytes)
    folded = b"--x\r\nContent-Disposition: form-data;\r\n" + b" a\r\n" * 1000 + b' name="file"\r\n\r\n'
    options = b'--x\r\nContent-Disposition: form-data; name="file"' + b';a="\\\\' * 600 + b"\r\n\r\n"
    dashes = b"-" * 60 + b"x"
    bodies = {
        "parts": fill(_PART + b"\r\n", b"", _END),
        "fields": fill(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n', b"", _END),
        "line ends": fill(b"\r\n--", _PART, _END),
        "folded heads": fill(folded + b"\r\n", b"", _END),
        "options": fill(options + b"\r\n", b"", _END),
        "1,024 parts that are no pictures": (_PART + bytes(most_bytes // 1100) + b"\r\n") * MOST_IMAGES + _END[2:],
        "a long field": fill(b"a", _PART + b"a\r\n--x\r\nContent-Disposition: form-data; name=model\r\n\r\n", _END),
        "no boundary": fill(b"-"),
        "no end": fill(b"a", _PART),
    }
    form = "multipart/form-data; boundary="
    for name, body in bodies.items():
        yield HeavyRequest(f"form: {name}", "/predict", body, {"Content-Type": form + "x"})
    near = fill(b"-", _PART.replace(b"--x", b"--" + dashes) + b"\r\n", b"\r\n--" + dashes + b"--\r\n")
    yield HeavyRequest("form: nearly a boundary", "/predict", near, {"Content-Type": form + dashes.decode()})


def _arrays_and_heads() -> Iterator[HeavyRequest]:
    npy = {"Content-Type": "application/x-npy"}
    for name, header in {
        "195 brackets": b"(" * 195,
        "4,000 brackets": b"(" * 4000,
        "signs": b"-" * 4000,
        "dimensions": b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"1," * 2000 + b"), }",
        "a long header": b" " * 60_000,
    }.items():
        body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        yield HeavyRequest(f"npy: {name}", "/predict", body, npy)
    many = {"Content-Type": "image/png", "Accept": "a/b;q=0.1," * 6000}
    yield HeavyRequest("Accept: 6,000 kinds", "/predict", b"x", many)
    yield HeavyRequest(
        "a long Content-Type", "/predict", b"x", {"Content-Type": "multipart/form-data" + ';a="\\' * 9000}
    )
    yield HeavyRequest("a long query", "/predict?model=" + "&a" * 30_000, b"x", {"Content-Type": "image/png"})


def _tensors(most_bytes: int) -> Iterator[HeavyRequest]:
    fill = _filler(most_bytes)

    def tensor(data: bytes, **changes: object) -> bytes:
        fields = {"name": "image", "datatype": "UINT8", "shape": [MOST_IMAGES, 32, 32, 3], **changes}
        return b'{"inputs":[{"data":%b,%b}]}' % (data, orjson.dumps(fields)[1:-1])

    def full(unit: bytes, last: bytes, **changes: object) -> bytes:
        return tensor(fill(unit, b"[", last + b"]"), **changes)

    encoded = {"name": "encoded", "datatype": "BYTES", "shape": [MOST_IMAGES]}
    right = b'"inputs":[{"name":"image","datatype":"UINT8","shape":[1,32,32,3],"data":[]}]'
    bodies = {
        "200,000 inputs": b'{"inputs":[' + b'{"name":"image"},' * 200_000 + b"{}]}",
        "inputs that are empty": fill(b"{},", b'{"inputs":[', b"{}]}"),
        "inputs that are lists": fill(b"[],", b'{"inputs":[', b"[]]}"),
        "outputs": fill(b"[],", b'{%b,"outputs":[' % right, b"[]]}"),
        "parameters": fill(b'"a":0,', b'{%b,"parameters":{' % right, b'"b":0}}'),
        "a long shape": fill(b"1,", b'{"inputs":[{"name":"image","datatype":"UINT8","data":[],"shape":[', b"1]}]}"),
        "a long name": fill(b"a", b'{"inputs":[{"datatype":"UINT8","data":[],"shape":[1],"name":"', b'"}]}'),
        "a long id": fill(b"a", b'{%b,"id":"' % right, b'"}'),
        "a member that is not known": fill(b"[],", b'{%b,"a":[' % right, b"[]]}"),
        "depth": fill(b"[", b'{"inputs":[{"data":'),
        "keys without end": fill(b'"data":[1,', b'{"inputs":['),
        "keys": fill(b'"data",', b'{"inputs":['),
        "pixels: lists": full(b"[],", b"[]"),
        "pixels: strings": full(b'"",', b'""'),
        "pixels: one wide string": tensor(b'["%b"]' % (b"a" * 1_000_000 + b'","' * 10_000)),
        "pixels: long fractions": full(b"0.12345678901234567891,", b"0"),
        "pixels: exponents": full(b"1e-300,", b"0"),
        "pixels: long numbers": full(b"18446744073709551616,", b"0"),
        "pixels: one long number": full(b"9", b""),
        "pixels: true": full(b"true,", b"true"),
        "pixels: too many": full(b"0,", b"0"),
        "pixels: depth": tensor(b"[" * 1000 + b"0" + b"]" * 1000),
        "pixels: uneven": full(b"[0,0],[0],", b"[0]"),
        "pixels: lists of one": full(b"[0],", b"[0]"),
        "pixels: blanks": full(b" ", b"0"),
        "pixels: twice": b'{"inputs":[{"data":%b,%b'
        % (_filler(most_bytes // 2)(b"0,", b"[", b"0]"), full(b"0,", b"0")[12:]),
        "files: strings": full(b'"",', b'""', **encoded),
        "files: lists": full(b"[],", b"[]", **encoded),
        "files: one text": tensor(b'["%b"]' % _noise(most_bytes), **(encoded | {"shape": [1]})),
    }
    for name, body in bodies.items():
        yield HeavyRequest(f"/v2: {name}", _MODEL, body[:most_bytes])
    zipped = gzip.compress(bodies["pixels: strings"])
    yield HeavyRequest("/v2: pixels: strings, in gzip", _MODEL, zipped, {"Content-Encoding": "gzip"})
    elements = bytes(most_bytes - _ROOM_BYTES)  # lengths of 0
    head = orjson.dumps({"inputs": [encoded | {"parameters": {"binary_data_size": len(elements)}}]})
    yield HeavyRequest("/v2: files: empty elements", _MODEL, head + elements, {_LENGTH_HEADER: str(len(head))})


def _honest() -> Iterator[HeavyRequest]:
    pixels = np.random.default_rng(0).integers(0, 256, (MOST_IMAGES, 32, 32, 3), np.uint8)
    tensor = {"name": "image", "datatype": "UINT8", "shape": pixels.shape}
    for name, data in (("flat", pixels.ravel().tolist()), ("nested", pixels.tolist())):
        body = orjson.dumps({"inputs": [tensor | {"data": data}]})
        yield HeavyRequest(f"honest: a JSON tensor of 1,024 pictures, {name}", _MODEL, body)
    head = orjson.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": pixels.nbytes}}]})
    binary = head + pixels.tobytes()
    yield HeavyRequest("honest: a binary tensor", _MODEL, binary, {_LENGTH_HEADER: str(len(head))})
    npy = {"Content-Type": "application/x-npy"}
    yield HeavyRequest("honest: an .npy file", "/predict", npy_bytes(pixels), npy)
    picture = _bitmap(pixels[0])
    form = (_PART + picture + b"\r\n") * MOST_IMAGES + _END[2:]
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    yield HeavyRequest("honest: a form of 1,024 pictures", "/predict", form, headers)
    texts = orjson.dumps({"images": [base64.b64encode(picture).decode()] * MOST_IMAGES})
    json = {"Content-Type": "application/json"}
    yield HeavyRequest("honest: 1,024 pictures in base64", "/predict", texts, json)
    photo = base64.b64encode(_bitmap(np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), np.uint8))).decode()
    yield HeavyRequest("honest: a photo of 12 MB in base64", "/predict", orjson.dumps({"images": [photo]}), json)


def _bitmap(pixels: np.ndarray) -> bytes:
    """A BMP file with 24 bits per pixel, made without a library that the measured service also uses."""
    height, width, _ = pixels.shape
    padding = bytes(-3 * width % 4)
    rows = b"".join(row[:, ::-1].tobytes() + padding for row in pixels[::-1])
    info = np.array([40, width, height, 1 | 24 << 16, 0, len(rows), 0, 0, 0, 0], "<i4").tobytes()
    return b"BM" + np.array([54 + len(rows), 0, 54], "<i4").tobytes() + info + rows
