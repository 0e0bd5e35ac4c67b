"""Watches the service's memory while clients send batches of all sizes, some of which are refused."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np

from bench.reliability.client import Client, until, watch_memory
from bench.request_bytes import npy_bytes, request_bytes
from bench.server_process import ServerProcess

_MOST_IMAGES: Final = 1024
_SAMPLES: Final = 24
_CAPACITY: Final = "5000"  # too small for 16 clients with 512 images each on average, so some are refused


async def batches(log: Path, seconds: float, clients: int) -> dict[str, object]:
    """Sends arrays of 1 to 1,024 pictures for some time.

    Returns:
        Counts of outcomes by name, and samples [seconds, MiB] of the memory.
    """
    counts = Counter[str]()
    with ServerProcess(log, "--queue-capacity", _CAPACITY) as process:
        going = until(seconds)

        async def run(seed: int) -> None:
            source = random.Random(seed)
            while going():
                request = _request(source.randint(1, _MOST_IMAGES))
                client = Client(process.address, "cifar10", counts, request, b'"predictions":[')
                for _ in range(10):
                    await client.ask()
                client.close()

        memory, *_ = await asyncio.gather(
            watch_memory(process, seconds / _SAMPLES, going), *(run(seed) for seed in range(clients))
        )
        status = process.stop()
    return {"outcomes": dict(counts), "memory_mib_at_s": memory, "exit": status}


def _request(images: int) -> bytes:
    return request_bytes("/predict", npy_bytes(np.zeros((images, 32, 32, 3), np.uint8)), "application/x-npy")
