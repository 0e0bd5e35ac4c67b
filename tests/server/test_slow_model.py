"""A model whose run takes half a minute: the service can still be ended."""

import asyncio
import io
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.fixtures.models import publish
from tests.fixtures.odd_models import TRIGGER, slow_model
from tests.process import ServerProcess

pytestmark = pytest.mark.slow


async def test_the_service_ends_with_status_0_during_a_run(tmp_path: Path) -> None:
    publish(tmp_path / "models", "mnist", "1", slow_model(rounds_of_trigger=25_000_000))
    stream = io.BytesIO()
    np.save(stream, TRIGGER)
    flags = ("--models-dir", str(tmp_path / "models"), "--drain-timeout-s", "1")
    with ServerProcess(tmp_path / "log", *flags) as process:
        async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
            headers = {"Content-Type": "application/x-npy"}
            request = asyncio.create_task(client.post("/predict", content=stream.getvalue(), headers=headers))
            metrics = ""
            while 'convoy_outstanding_images{model="mnist",version="1"} 1.0' not in metrics:
                metrics = (await client.get("/metrics")).text
            status = await asyncio.to_thread(process.stop)
            await asyncio.wait([request])
            request.exception()
    assert status == 0
    assert "terminate called" not in process.log.read_text()
