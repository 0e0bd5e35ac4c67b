"""Replaces processes: by a new one on the same port, and after one was killed."""

import asyncio
import time
from pathlib import Path

import psutil

from bench.reliability.client import load
from bench.server_process import ServerProcess


async def rolling(log: Path, requests: int, clients: int) -> dict[str, object]:
    """Replaces the process again and again on one port while clients send ``requests`` requests."""
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


async def replace(log: Path, times: int) -> dict[str, object]:
    """Kills a worker of an idle service again and again, and measures the seconds until two are listening again."""
    seconds = []
    with ServerProcess(log, "--workers", "2") as process:
        root = psutil.Process(process.process.pid)
        for _ in range(times):
            victim = listening(root)[0]
            await asyncio.sleep(6)  # a worker that ends soon after its start is not replaced at once
            victim.kill()
            started = time.monotonic()
            victim.wait()
            while len(listening(root)) < 2:  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0.01)
            seconds.append(round(time.monotonic() - started, 2))
    return {"seconds": seconds}


def listening(root: psutil.Process) -> list[psutil.Process]:
    """The workers of a service that can be connected to."""
    listeners = {one.pid for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
    return [child for child in root.children() if child.pid in listeners]
