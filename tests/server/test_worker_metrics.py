"""/metrics where several workers share a port: each page tells of all of them."""

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
    """The first page on which each of these metrics has this value; the test's time limit is the only other end."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        while True:
            page = Page((await client.get("/metrics")).text)
            if all(page.value(name) == value for name, value in wanted.items()):
                return page
            await asyncio.sleep(0.1)


async def test_every_page_tells_of_all_workers_dead_ones_included(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log", "--workers", "2", "--log-format", "json") as process:
        for _ in range(REQUESTS):  # each on a connection of its own, which the kernel gives to either
            async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
                answer = await client.post("/predict", content=cat, headers={"content-type": "image/png"})
            assert answer.status_code == 200
        counted = {  # a page may show a fold that is under way in the other worker: some of these before the others
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
        killed.wait()  # a connection that the kernel gives to it before its end is reset
        page = await until(process.url, convoy_worker_restarts_total=1, **counted)
        assert page.value("convoy_predicted_images_total", label="cat") == REQUESTS
