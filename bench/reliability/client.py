"""Clients that count the outcomes of their requests, and a function that samples the service's memory."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from bench.folders import SAMPLES
from bench.request_bytes import request_bytes
from bench.server_process import ServerProcess

PICTURES = {
    "cifar10": (SAMPLES / "cifar10_cat_0.png").read_bytes(),
    "mnist": (SAMPLES / "mnist_7_0.png").read_bytes(),
}
_ANSWERS = {"cifar10": b'"label":"cat"', "mnist": b'"label":"7"'}


class Client:
    """Sends one request after another on one connection, and opens a new one where the service closes it.

    Args:
        address: host and port.
        model: name of the model.
        counts: of outcomes by name; updated in place.
        request: the request, head and body; None for one picture of the model.
        answer: bytes that a right answer contains; None for the picture's label.
    """

    def __init__(
        self,
        address: tuple[str, int],
        model: str,
        counts: Counter[str],
        request: bytes | None = None,
        answer: bytes | None = None,
    ) -> None:
        self._address = address
        self._answer = answer or _ANSWERS[model]
        self._counts = counts
        self._request = request or request_bytes(f"/models/{model}/predict", PICTURES[model], "image/png")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> float | None:
        """Sends one request; returns its seconds if it got the right answer, else None."""
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
        if status == 200 and self._answer in body:
            self._counts["accepted"] += 1
            return time.perf_counter() - started
        if status == 503 and b"retry-after" in fields:
            self._counts["refused"] += 1
        else:
            self._counts[f"failed: {'wrong answer' if status == 200 else status}"] += 1
        return None

    def close(self) -> None:
        """Closes the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def load(
    process: ServerProcess, model: str, clients: int, goes_on: Callable[[], bool], seconds: list[float] | None = None
) -> Counter[str]:
    """A closed loop of clients that ignore Retry-After; returns the counts of their requests' outcomes."""
    counts: Counter[str] = Counter()

    async def run() -> None:
        client = Client(process.address, model, counts)
        while goes_on():
            answered_s = await client.ask()
            if answered_s is not None and seconds is not None:
                seconds.append(answered_s)
        client.close()

    await asyncio.gather(*(run() for _ in range(clients)))
    counts["offered"] = counts.total()
    return counts


async def watch_memory(process: ServerProcess, every_s: float, goes_on: Callable[[], bool]) -> list[list[int]]:
    """Samples the memory as [seconds, MiB] every ``every_s`` seconds."""
    started, samples = time.monotonic(), []
    while goes_on():
        samples.append([round(time.monotonic() - started), round(process.memory().rss_mib)])
        await asyncio.sleep(every_s)
    return samples


def until(seconds: float) -> Callable[[], bool]:
    """A function that returns True for ``seconds`` from now on."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end
