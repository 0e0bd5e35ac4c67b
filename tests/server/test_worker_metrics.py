"""/metrics with several workers on one port: each page includes all of them."""

import asyncio
import re
from pathlib import Path

import httpx
import psutil
import pytest

from tests.process import ServerProcess
from tests.telemetry.metrics.page import Page

pytestmark = pytest.mark.slow

REQUESTS = 40


async def until(url: str, **wanted: float) -> Page:
    """Polls until each of these metrics has this value; returns the page. The test's time limit ends it otherwise."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        while True:
            page = Page((await client.get("/metrics")).text)
            if all(page.value(name) == value for name, value in wanted.items()):
                return page
            await asyncio.sleep(0.1)


async def test_every_page_tells_of_all_workers_dead_ones_included(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log", "--workers", "2", "--log-format", "json") as process:
        for _ in range(REQUESTS):  # each on a new connection, which the kernel gives to one of the workers
            async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
                answer = await client.post("/predict", content=cat, headers={"content-type": "image/png"})
            assert answer.status_code == 200
        counted = {  # the other worker may be updating its file, so some of these can appear before the others
            "convoy_images_total": REQUESTS,
            "convoy_predicted_images_total": REQUESTS,
            "convoy_batch_size_count": REQUESTS,
        }
        page = await until(process.url, convoy_ready=1, **counted)
        assert page.value("convoy_worker_restarts_total") == 0
        assert page.value("convoy_predicted_images_total", label="cat") == REQUESTS
        assert page.value("convoy_queue_capacity_images", model="mnist", version="1") == 2 * 2048

        pids = set(re.findall(r'"pid":(\d+),"message":"Started', process.log.read_text()))
        assert len(pids) == 2
        killed = psutil.Process(int(pids.pop()))
        killed.kill()
        killed.wait()  # before that, the kernel may give it a connection, which is then reset
        page = await until(process.url, convoy_worker_restarts_total=1, **counted)
        assert page.value("convoy_predicted_images_total", label="cat") == REQUESTS
