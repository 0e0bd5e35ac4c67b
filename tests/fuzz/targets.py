"""Fuzz targets: each takes any bytes, and may raise only the errors that are meant for clients.

A target's first bytes choose among its variants, so that one corpus reaches all of them.
"""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from service.api.bodies import parse_body
from service.api.parameters import read_query
from service.api.requests import read_body, read_timeout_s
from service.api.v2.framing import parse
from service.decoding import Decoder, DecodeThreads, Target, Upload
from service.errors import RequestError
from service.http.body_budget import BodyBudget
from service.http.connection import Connection
from service.open_inference.tensors import read_images

MAX_PIXELS = 1 << 16
MAX_IMAGES = 64
COLOUR = Target(height=32, width=32, color_mode="RGB", fit="cover", light_on_dark=False)
DIGIT = Target(height=28, width=28, color_mode="L", fit="contain", light_on_dark=True)
TARGETS = (COLOUR, DIGIT)
BOUNDARY = b"boundary"
MEDIA_TYPES = (
    b"image/png",
    b"multipart/form-data; boundary=" + BOUNDARY,
    b"application/json",
    b"application/x-npy",
)


def decode(data: bytes) -> None:
    """A picture, for colour and grey models."""
    target = TARGETS[data[0] % len(TARGETS)] if data else COLOUR
    with DecodeThreads(1) as threads:
        decoder = Decoder(
            max_pixels=MAX_PIXELS, loop_work_s=1e-3, threads=threads, children=None, budget=BodyBudget(1 << 30)
        )
        try:
            pixels = decoder.decode_now([Upload(data[1:])], target)
        except RequestError:
            return
    assert pixels.shape == (1, *target.shape)
    assert pixels.dtype == np.uint8


def body(data: bytes) -> None:
    """A body of ``/predict``, of each media type."""
    media_type = MEDIA_TYPES[data[0] % len(MEDIA_TYPES)] if data else b""
    try:
        images = parse_body(data[1:], media_type, MAX_IMAGES).images(COLOUR, MAX_IMAGES)
    except RequestError:
        return
    assert 1 <= len(images) <= MAX_IMAGES
    if isinstance(images, np.ndarray):
        assert images.shape[1:] == COLOUR.shape
        assert images.dtype == np.uint8
    else:
        assert all(type(upload.data) is bytes for upload in images)


def infer(data: bytes) -> None:
    """A body of ``/v2/models/M/infer``: two bytes of JSON length (0: none is given), then the body."""
    length = int.from_bytes(data[:2], "little")
    try:
        request = parse(data[2:], b"%d" % length if length else None, MAX_IMAGES)
        for tensor in request.inputs:
            images = read_images(tensor, COLOUR, MAX_IMAGES)
            assert len(images) == tensor.shape[0]
    except RequestError:
        return


def head(data: bytes) -> None:
    """The parts of a request before its body (query, time limit, Content-Encoding) and the body, by line feeds."""
    query, limit, encoding, content = (data.split(b"\n", 3) + [b""] * 4)[:4]
    try:
        read_query(query)
        assert 0 < read_timeout_s(limit or None, 10.0) <= 10.0
        headers = {b"content-encoding": encoding} if encoding else {}
        plain = asyncio.run(_read(content, headers))
    except RequestError:
        return
    assert len(plain) <= MAX_PIXELS


async def _read(content: bytes, headers: dict[bytes, bytes]) -> bytes:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": content, "more_body": False}

    connection = Connection(receive, BodyBudget(2 * MAX_PIXELS))
    try:
        return await read_body(connection, headers, MAX_PIXELS, 10.0)
    finally:
        connection.let_go()


FUZZ_TARGETS: Mapping[str, Callable[[bytes], None]] = MappingProxyType(
    {"decode": decode, "body": body, "infer": infer, "head": head}
)
