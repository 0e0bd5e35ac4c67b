"""A long load with faults injected."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from bench.reliability.client import PICTURES, load, until, watch_memory
from bench.server_process import ServerProcess

_CAT = PICTURES["cifar10"]


async def kill_workers(
    process: ServerProcess, every_s: float, goes_on: Callable[[], bool], faults: Counter[str]
) -> None:
    """Kills one of the workers now and then, when all of them are there."""
    while goes_on():
        await asyncio.sleep(every_s)
        serving = process.workers()
        if goes_on() and len(serving) == 2:
            random.choice(serving).kill()
            faults["worker killed"] += 1


async def leave_early(address: tuple[str, int], goes_on: Callable[[], bool], faults: Counter[str]) -> None:
    """Clients that go before their answer, or in the middle of their request."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(_CAT)
    while goes_on():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(*address)
            writer.write(head + _CAT[: random.choice((100, len(_CAT)))])
            await asyncio.sleep(0)
            writer.transport.abort()
            faults["client left"] += 1
        await asyncio.sleep(0.01)


async def send_damaged(address: tuple[str, int], goes_on: Callable[[], bool], faults: Counter[str]) -> None:
    """Pictures with one byte changed."""
    while goes_on():
        data = bytearray(_CAT)
        data[random.randrange(len(data))] ^= 0xFF
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nConnection: close\r\n"
        status = ""
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(data) + data)
            status = (await reader.read())[9:12].decode()
            writer.close()
        faults[f"damaged picture: {status or 'connection lost'}"] += 1
        await asyncio.sleep(0.01)


async def soak(log: Path, seconds: float, clients: int) -> dict[str, object]:
    """Load on two workers while one of them is killed now and then, clients leave in the middle, and strangers call.

    A killed worker takes the requests inside it along: these, at most one a connection, are the failures to expect.
    """
    with ServerProcess(log, "--workers", "2") as process:
        pid, going, faults = process.process.pid, until(seconds), Counter[str]()
        address = urlsplit(process.url)
        where = (str(address.hostname), int(address.port or 0))
        cifar10, mnist, memory, *_ = await asyncio.gather(
            load(process, "cifar10", clients, going),
            load(process, "mnist", 2, going),
            watch_memory(pid, seconds / 10, going),
            kill_workers(process, min(20.0, seconds / 4), going, faults),
            leave_early(where, going, faults),
            send_damaged(where, going, faults),
        )
        status = process.stop()
    return {
        "cifar10": dict(cifar10),
        "mnist": dict(mnist),
        "faults": dict(faults),
        "memory_mib_at_s": memory,
        "exit": status,
    }
