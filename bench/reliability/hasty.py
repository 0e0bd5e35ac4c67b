"""Clients with a time limit that is too short, beside ordinary ones, which must not be affected."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np

from bench.reliability.client import PICTURES, Client
from bench.request_bytes import request_bytes
from bench.server_process import ServerProcess

_MODEL: Final = "cifar10"
_SHAPE: Final = (1, 32, 32, 3)
_HASTY: Final = 4
_ORDINARY: Final = 6


async def hasty(log: Path, requests: int) -> dict[str, object]:
    """Counts outcomes of ordinary requests beside four clients with short limits, two of ``/predict``, two of ``/v2``.

    Args:
        log: file that gets the service's output.
        requests: number of ordinary requests, from six clients.

    Returns:
        Counts of outcomes for each kind of client, and of tracebacks and unretrieved errors in the log.
    """
    ordinary, by_header, by_parameter = Counter[str](), Counter[str](), Counter[str]()
    with ServerProcess(log) as process:

        async def run(counts: Counter[str], request: bytes | None = None, answer: bytes | None = None) -> None:
            client = Client(process.address, _MODEL, counts, request, answer)
            while ordinary.total() < requests:
                await client.ask()
            client.close()

        await asyncio.gather(
            *(run(ordinary) for _ in range(_ORDINARY)),
            *(run(by_header, hasty_request()) for _ in range(_HASTY // 2)),
            *(run(by_parameter, _with_parameter(), b'"shape":[1,10]') for _ in range(_HASTY // 2)),
        )
    text = await asyncio.to_thread(log.read_text)
    return {
        "ordinary": dict(ordinary),
        "hasty_header": dict(by_header),
        "hasty_parameter": dict(by_parameter),
        "tracebacks": text.count("Traceback"),
        "unretrieved": text.count("never retrieved"),
    }


def hasty_request() -> bytes:
    """A picture that must be answered within a millisecond."""
    return request_bytes(f"/models/{_MODEL}/predict", PICTURES[_MODEL], "image/png", "X-Request-Timeout-Ms: 1")


def _with_parameter() -> bytes:
    """A tensor of the Open Inference Protocol that must be answered within a millisecond."""
    data = np.zeros(_SHAPE, np.uint8).ravel().tolist()
    tensor = {"name": "image", "shape": _SHAPE, "datatype": "UINT8", "data": data}
    body = json.dumps({"parameters": {"timeout": 1000}, "inputs": [tensor]}).encode()
    return request_bytes(f"/v2/models/{_MODEL}/infer", body, "application/json")
