"""Many clients at once: they share runs, and each gets the answer to its own picture."""

import asyncio
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from bench.request_bytes import picture_bytes
from tests.fixtures.pictures import first_test_images
from tests.process import ROOT, ServerProcess
from training.onnx_classifier import OnnxClassifier

pytestmark = pytest.mark.slow

CLIENTS = 32


def png(pixels: np.ndarray) -> bytes:
    return picture_bytes(Image.fromarray(pixels.squeeze()), "PNG")


def runs(metrics: str, model: str, version: str) -> tuple[float, float]:
    """(number of runs, number of images) of a model's version so far."""
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if (sample.labels.get("model"), sample.labels.get("version")) == (model, version)
        and sample.name.startswith("convoy_batch_size_")
    }
    return samples["convoy_batch_size_count"], samples["convoy_batch_size_sum"]


@pytest.mark.parametrize("model", ["cifar10", "mnist"])
async def test_a_thousand_real_images_are_answered_as_the_offline_evaluation_answers_them(
    server: ServerProcess, model: str
) -> None:
    images = first_test_images(model)
    queue = list(enumerate(images))
    answers: dict[int, int] = {}

    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        version = (await client.get(f"/models/{model}")).json()["default_version"]
        before = runs((await client.get("/metrics")).text, model, version)

        async def send() -> None:
            while queue:
                index, image = queue.pop()
                answer = await client.post(
                    f"/models/{model}/versions/{version}/predict",
                    content=png(image),
                    headers={"Content-Type": "image/png"},
                )
                answers[index] = answer.json()["predictions"][0]["index"]

        await asyncio.gather(*(send() for _ in range(CLIENTS)))
        after = runs((await client.get("/metrics")).text, model, version)

    offline = OnnxClassifier.open(Path(ROOT) / "models" / model / version / "model.onnx").predict(images)
    assert [answers[index] for index in range(len(images))] == offline.argmax(axis=1).tolist()
    assert after[1] - before[1] == len(images)
    assert after[0] - before[0] < len(images), "no two requests shared a run"
