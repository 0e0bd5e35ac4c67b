"""Compressed bodies, from clients and from attackers; they must not delay other requests."""

import asyncio
import gzip
import os
import time
import zlib

import pytest

from service.api.content_encoding import Inflater, read_coding
from service.errors import MalformedRequestError, OverloadedError, TooLargeError, UnsupportedMediaTypeError
from service.http.body_budget import BodyBudget

MIB = 1 << 20


async def inflate(*data: bytes, coding: bytes = b"gzip", budget: int = 64 * MIB, most: int = 16 * MIB) -> bytes:
    inflater = Inflater(coding, most, BodyBudget(budget).take)
    for piece in data:
        await inflater.write(piece)
    return inflater.finish()


@pytest.mark.parametrize("header", [b"gzip", b"GZIP", b" x-gzip ", b"X-GZip", b"deflate", b"Deflate"])
async def test_codings_are_known_in_any_case(header: bytes) -> None:
    coding = read_coding(header)
    assert coding is not None
    packed = zlib.compress(b"picture") if b"deflate" in coding else gzip.compress(b"picture")
    assert await inflate(packed, coding=coding) == b"picture"


@pytest.mark.parametrize("header", [None, b"", b"identity", b"Identity"])
def test_no_coding(header: bytes | None) -> None:
    assert read_coding(header) is None


@pytest.mark.parametrize("header", [b"br", b"gzip, gzip", b"zstd", b"\xff" * 500])
def test_other_codings_are_refused(header: bytes) -> None:
    with pytest.raises(UnsupportedMediaTypeError) as refused:
        read_coding(header)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("step", [1, 7, 100_000, 10 * MIB])
async def test_members_and_pieces_of_any_length_are_one_body(step: int) -> None:
    plain = os.urandom(2000 if step < 100 else 3 * MIB)
    packed = gzip.compress(plain[:1500]) + gzip.compress(b"") + gzip.compress(plain[1500:])
    assert await inflate(*(packed[start : start + step] for start in range(0, len(packed), step))) == plain


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"plain",
        gzip.compress(b"x" * 1000, mtime=0)[:-1],
        gzip.compress(b"x", mtime=0) + b"tail",
        gzip.compress(b"x", mtime=0) + b"\0",
        gzip.compress(b"", mtime=0) * 2000,
        gzip.compress(b"x", mtime=0)[:-8] + bytes(8),
    ],
)
async def test_what_is_not_gzip_is_refused(packed: bytes) -> None:
    with pytest.raises(MalformedRequestError) as refused:
        await inflate(packed)
    assert "Error" not in str(refused.value)


async def test_a_bomb_is_refused_before_it_is_made() -> None:
    held = 0

    def hold(count: int) -> None:
        nonlocal held
        held += count

    inflater = Inflater(b"gzip", 16 * MIB, hold)
    with pytest.raises(TooLargeError):
        await inflater.write(gzip.compress(bytes(64 * MIB), 1))
    assert held <= 16 * MIB


async def test_what_is_inflated_is_counted() -> None:
    with pytest.raises(OverloadedError):
        await inflate(gzip.compress(bytes(4 * MIB)), budget=3 * MIB)


async def test_others_get_their_turn_meanwhile() -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count_turns())
    await inflate(gzip.compress(bytes(16 * MIB)))
    task.cancel()
    assert turns >= 16


async def test_very_many_members_cost_little() -> None:
    started = time.process_time()
    with pytest.raises(MalformedRequestError):
        await inflate(gzip.compress(b"") * 800_000)
    assert time.process_time() - started < 2
