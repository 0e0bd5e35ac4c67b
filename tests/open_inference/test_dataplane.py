"""The data plane, which REST and gRPC share."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.samples import Sample

from service.classifier import Classifier
from service.limits import RequestLimits
from service.open_inference.dataplane import DataPlane
from service.telemetry.metrics import Metrics
from tests.fixtures.tiny_models import put, tiny_model
from tests.inference.test_trial import repository
from tests.models.loading import make_loader


async def test_the_event_loop_runs_while_the_statistics_are_read(tmp_path: Path) -> None:
    has_begun, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class SlowMetrics(Metrics):
        """Metrics whose shared files are locked for a while."""

        def samples(self) -> Iterator[Sample]:
            loop.call_soon_threadsafe(has_begun.set)
            assert may_end.wait(10)
            return super().samples()

    put(tmp_path, "tiny", "1", tiny_model())
    loader, catalog = make_loader(repository(tmp_path, None))
    await loader.load_all()
    plane = DataPlane(
        Classifier(catalog, decoder=None, budget=None, open_engine=loader.open_engine),
        loader,
        SlowMetrics(version="1"),
        asyncio.Event(),
        version="1",
        limits=RequestLimits(max_body_bytes=1, max_images=1, timeout_s=1.0),
        model_control=False,
    )
    counting = asyncio.create_task(plane.count())
    await has_begun.wait()
    may_end.set()
    assert [one["name"] for one in (await counting)["model_stats"]] == ["tiny"]
    await loader.close()
