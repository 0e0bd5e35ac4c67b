"""A long load with injected faults."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.reliability.client import PICTURES, Client, load, until, watch_memory
from bench.reliability.hasty import hasty_request
from bench.reliability.hostile_bodies import hostile_requests
from bench.reliability.hostile_pictures.requests import picture_requests
from bench.reliability.stops import send
from bench.request_bytes import request_bytes
from bench.server_process import ServerProcess

_CAT = PICTURES["cifar10"]
_MOST_HOSTILE_BYTES = 1 << 20


async def kill_workers(
    process: ServerProcess, every_s: float, goes_on: Callable[[], bool], faults: Counter[str]
) -> None:
    """Kills one of the workers every ``every_s`` seconds, if both are running."""
    while goes_on():
        await asyncio.sleep(every_s)
        serving = process.workers()
        if goes_on() and len(serving) == 2:
            random.choice(serving).kill()
            faults["worker killed"] += 1


async def leave_early(address: tuple[str, int], goes_on: Callable[[], bool], faults: Counter[str]) -> None:
    """Clients that disconnect before their answer, or in the middle of their request."""
    request = request_bytes("/predict", _CAT, "image/png")
    while goes_on():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(*address)
            writer.write(request[: len(request) - random.choice((0, len(_CAT) - 100))])
            await asyncio.sleep(0)
            writer.transport.abort()
            faults["client left"] += 1
        await asyncio.sleep(0.01)


async def send_damaged(address: tuple[str, int], goes_on: Callable[[], bool], faults: Counter[str]) -> None:
    """Sends pictures with one changed byte."""
    while goes_on():
        data = bytearray(_CAT)
        data[random.randrange(len(data))] ^= 0xFF
        status = ""
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request_bytes("/predict", bytes(data), "image/png", "Connection: close"))
            status = (await reader.read())[9:12].decode()
            writer.close()
        faults[f"damaged picture: {status or 'connection lost'}"] += 1
        await asyncio.sleep(0.01)


async def send_hostile(address: tuple[str, int], goes_on: Callable[[], bool], faults: Counter[str]) -> None:
    """Sends bodies and pictures that are made to be expensive, one after the other."""
    kinds = [*hostile_requests(_MOST_HOSTILE_BYTES), *picture_requests()]
    while goes_on():
        request = random.choice(kinds)
        try:
            status, _ = await asyncio.to_thread(send, *address, request)
        except OSError:
            faults["hostile request: connection lost"] += 1
        else:
            faults[f"hostile request: {status}"] += 1
        await asyncio.sleep(0.05)


async def send_hasty(address: tuple[str, int], goes_on: Callable[[], bool], faults: Counter[str]) -> None:
    """Sends requests that must be answered within a millisecond."""
    client = Client(address, "cifar10", faults, hasty_request())
    while goes_on():
        await client.ask()
    client.close()


async def soak(log: Path, seconds: float, clients: int) -> dict[str, object]:
    """Load on two workers while workers are killed, clients disconnect early, and others send hostile requests.

    The requests inside a killed worker fail: these, at most one per connection, are the only failures to expect.
    """
    with ServerProcess(log, "--workers", "2") as process:
        where, going, faults, hasty = process.address, until(seconds), Counter[str](), Counter[str]()
        loads = asyncio.gather(load(process, "cifar10", clients, going), load(process, "mnist", 2, going))
        memory = asyncio.ensure_future(watch_memory(process, seconds / 10, going))
        await asyncio.gather(
            loads,
            memory,
            kill_workers(process, min(20.0, seconds / 4), going, faults),
            leave_early(where, going, faults),
            send_damaged(where, going, faults),
            send_hostile(where, going, faults),
            send_hasty(where, going, hasty),
        )
        status = process.stop()
    cifar10, mnist = loads.result()
    return {
        "cifar10": dict(cifar10),
        "mnist": dict(mnist),
        "faults": dict(faults),
        "hasty": dict(hasty),
        "memory_mib_at_s": memory.result(),
        "exit": status,
    }
