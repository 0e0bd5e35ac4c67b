"""The service can be stopped during a model run of half a minute."""

import asyncio
import io
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.fixtures.models import publish
from tests.fixtures.odd_models import TRIGGER, slow_model
from tests.process import ServerProcess

pytestmark = pytest.mark.slow


DRAIN_TIMEOUT_S = 1
MOST_LATE_S = 2


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_the_service_ends_with_status_0_during_a_run(tmp_path: Path, workers: str) -> None:
    publish(tmp_path / "models", "mnist", "1", slow_model(rounds_of_trigger=25_000_000))
    stream = io.BytesIO()
    np.save(stream, TRIGGER)
    flags = ("--models-dir", str(tmp_path / "models"), "--workers", workers, "--request-timeout-s", "60")
    drain = ("--drain-timeout-s", str(DRAIN_TIMEOUT_S))
    with ServerProcess(tmp_path / "log", *flags, *drain) as process:
        async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
            headers = {"Content-Type": "application/x-npy"}
            request = asyncio.create_task(client.post("/predict", content=stream.getvalue(), headers=headers))
            metrics = ""
            while 'convoy_outstanding_images{model="mnist",version="1"} 1.0' not in metrics:
                metrics = (await client.get("/metrics")).text
            asked_at = time.monotonic()
            status = await asyncio.to_thread(process.stop)
            assert time.monotonic() - asked_at < DRAIN_TIMEOUT_S + MOST_LATE_S
            await asyncio.wait([request])
            request.exception()
    assert status == 0
    assert "terminate called" not in process.log.read_text()
