"""Load and restarts on a real service, counted exactly: what was offered, accepted, refused and failed.

::

    python -m bench.reliability overload --seconds 60
    python -m bench.reliability rolling --requests 100000
    python -m bench.reliability soak --seconds 1800

Each prints one JSON line. A request *fails* when it gets no answer, a wrong answer, or a status that is neither 200 nor
an announced refusal (503).
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.process import SAMPLES, ServerProcess

CAT = (SAMPLES / "cifar10_cat_0.png").read_bytes()
DIGIT = (SAMPLES / "mnist_7_0.png").read_bytes()
ANSWERS = {"cifar10": b'"label":"cat"', "mnist": b'"label":"7"'}
PICTURES = {"cifar10": CAT, "mnist": DIGIT}


class Client:
    """One connection that sends request after request, and opens another where the service closes it.

    Args:
        address: host and port.
        model: asked.
        counts: of outcomes, by name.
    """

    def __init__(self, address: tuple[str, int], model: str, counts: Counter[str]) -> None:
        self._address = address
        self._model = model
        self._counts = counts
        picture = PICTURES[model]
        head = f"POST /models/{model}/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        self._request = f"{head}Content-Length: {len(picture)}\r\n\r\n".encode() + picture
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> float | None:
        """Sends one request; returns its seconds where it was answered with 200."""
        started = time.perf_counter()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(*self._address)
            reader, writer = self._streams
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            body = await reader.readexactly(int(fields[b"content-length"]))
        except (OSError, asyncio.IncompleteReadError) as error:
            self._counts[f"failed: {type(error).__name__}"] += 1
            self.close()
            return None
        if fields.get(b"connection") == b"close":
            self.close()
        if status == 200 and ANSWERS[self._model] in body:
            self._counts["accepted"] += 1
            return time.perf_counter() - started
        if status == 503 and b"retry-after" in fields:
            self._counts["refused"] += 1
        else:
            self._counts[f"failed: {'wrong answer' if status == 200 else status}"] += 1
        return None

    def close(self) -> None:
        """Lets the connection go."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def load(
    process: ServerProcess, model: str, clients: int, goes_on: Callable[[], bool], seconds: list[float] | None = None
) -> Counter[str]:
    """A closed loop of clients that ignore Retry-After; returns what became of their requests."""
    address = urlsplit(process.url)
    counts: Counter[str] = Counter()

    async def run() -> None:
        client = Client((str(address.hostname), int(address.port or 0)), model, counts)
        while goes_on():
            answered_s = await client.ask()
            if answered_s is not None and seconds is not None:
                seconds.append(answered_s)
        client.close()

    await asyncio.gather(*(run() for _ in range(clients)))
    counts["offered"] = counts.total()
    return counts


def memory_mib(pid: int) -> float:
    """Resident memory of a process and its children."""
    root = psutil.Process(pid)
    return sum(process.memory_info().rss for process in (root, *root.children(recursive=True))) / (1 << 20)


def until(seconds: float) -> Callable[[], bool]:
    """True for that long."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


async def overload(log: Path, seconds: float, clients: int) -> dict[str, object]:
    """Goodput at saturation, then with ten times the clients; a second model beside the flood."""
    flags = ("--queue-capacity", "64", "--max-images-per-request", "64")
    with ServerProcess(log, *flags) as process:
        await load(process, "cifar10", clients, until(2))
        best = await load(process, "cifar10", clients, until(seconds / 4))
        before = memory_mib(process.process.pid)
        beside: list[float] = []
        flooded: list[float] = []
        going = until(seconds)
        flood, other = await asyncio.gather(
            load(process, "cifar10", 10 * clients, going, flooded), load(process, "mnist", 1, going, beside)
        )
        after = memory_mib(process.process.pid)
    return {
        "best_per_s": round(best["accepted"] / (seconds / 4)),
        "flood": dict(flood),
        "flood_accepted_per_s": round(flood["accepted"] / seconds),
        "flood_p99_ms": round(1e3 * sorted(flooded)[int(0.99 * len(flooded))], 1),
        "other_model": dict(other),
        "other_p99_ms": round(1e3 * sorted(beside)[int(0.99 * len(beside))], 1),
        "memory_mib": [round(before), round(after)],
    }


async def rolling(log: Path, requests: int, clients: int) -> dict[str, object]:
    """Replaces the process again and again on one port while requests come, until that many have been answered."""
    done = [0]

    def goes_on() -> bool:
        done[0] += 1
        return done[0] <= requests

    restarts = 0
    current = ServerProcess(log, "--share-port", "true").__enter__()
    port = current.url.rpartition(":")[2]
    clients_task = asyncio.create_task(load(current, "cifar10", clients, goes_on))
    try:
        while not clients_task.done():
            following = ServerProcess(log.with_suffix(f".{restarts}"), "--share-port", "true", "--port", port)
            await asyncio.to_thread(following.__enter__)
            if (status := await asyncio.to_thread(current.stop)) != 0:
                raise RuntimeError(f"the old process ended with {status}")
            current = following
            restarts += 1
        counts = await clients_task
    finally:
        current.stop()
    return {**counts, "restarts": restarts}


async def watch_memory(pid: int, every_s: float, goes_on: Callable[[], bool]) -> list[list[int]]:
    """[seconds, MiB], again and again."""
    started, samples = time.monotonic(), []
    while goes_on():
        samples.append([round(time.monotonic() - started), round(memory_mib(pid))])
        await asyncio.sleep(every_s)
    return samples


async def kill_workers(pid: int, every_s: float, goes_on: Callable[[], bool], faults: Counter[str]) -> None:
    """Kills one of the workers now and then, when all of them are there."""
    while goes_on():
        await asyncio.sleep(every_s)
        children = psutil.Process(pid).children()
        serving = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        if goes_on() and len(serving) == 2:
            os.kill(random.choice(serving).pid, signal.SIGKILL)
            faults["worker killed"] += 1


async def leave_early(address: tuple[str, int], goes_on: Callable[[], bool], faults: Counter[str]) -> None:
    """Clients that go before their answer, or in the middle of their request."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(CAT)
    while goes_on():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(*address)
            writer.write(head + CAT[: random.choice((100, len(CAT)))])
            await asyncio.sleep(0)
            writer.transport.abort()
            faults["client left"] += 1
        await asyncio.sleep(0.01)


async def send_damaged(address: tuple[str, int], goes_on: Callable[[], bool], faults: Counter[str]) -> None:
    """Pictures with one byte changed."""
    while goes_on():
        data = bytearray(CAT)
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
            kill_workers(pid, min(20.0, seconds / 4), going, faults),
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


def main() -> int:
    """Runs one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("overload", "rolling", "soak"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        if options.what == "rolling":
            result = asyncio.run(rolling(log, options.requests, options.clients))
        else:
            measure = overload if options.what == "overload" else soak
            result = asyncio.run(measure(log, options.seconds, options.clients))
    print(json.dumps({"measurement": options.what, **result}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
