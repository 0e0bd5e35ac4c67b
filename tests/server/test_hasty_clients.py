"""Clients with a time limit that is too short get 504; other clients are not affected."""

import asyncio

import httpx
import numpy as np
import pytest

from tests.process import ServerProcess

pytestmark = pytest.mark.slow

PNG = {"Content-Type": "image/png"}
REQUESTS = 600


async def test_ordinary_requests_get_no_errors_beside_hasty_ones(server: ServerProcess, cat: bytes) -> None:
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    tensor = {"name": "image", "shape": pixels.shape, "datatype": "UINT8", "data": pixels.ravel().tolist()}
    ordinary: list[int] = []
    hasty: set[int] = set()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:

        async def send_ordinary() -> None:
            while len(ordinary) < REQUESTS:
                answer = await client.post("/predict", content=cat, headers=PNG)
                ordinary.append(answer.status_code)

        async def send_with_header() -> None:
            while len(ordinary) < REQUESTS:
                answer = await client.post("/predict", content=cat, headers=PNG | {"X-Request-Timeout-Ms": "1"})
                hasty.add(answer.status_code)

        async def send_with_parameter() -> None:
            while len(ordinary) < REQUESTS:
                answer = await client.post(
                    "/v2/models/cifar10/infer", json={"parameters": {"timeout": 500}, "inputs": [tensor]}
                )
                hasty.add(answer.status_code)

        senders = [send_ordinary] * 6 + [send_with_header, send_with_parameter] * 2
        await asyncio.gather(*(send() for send in senders))
    assert set(ordinary) == {200}
    assert hasty <= {200, 408, 504}  # 408 if receiving the body took longer than the limit
    assert "Traceback" not in server.log.read_text()
    assert "never retrieved" not in server.log.read_text()
