"""Fixtures for the tests of the protocol: pictures as tensors, and their answers from ``/predict``."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.fixtures.models import copy_models
from tests.process import ServerProcess

NAMES = ("cifar10", "mnist")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of version 1 of both models, so that the newest is always that one."""
    folder = tmp_path_factory.mktemp("v2")
    models = copy_models(folder / "models", *NAMES)
    with ServerProcess(folder / "log", "--models-dir", str(models)) as process:
        yield process


@pytest.fixture(scope="session")
def pixels(samples: dict[str, list[Path]]) -> dict[str, NDArray[np.uint8]]:
    """The sample pictures, uint8 [N, H, W, C], by model name."""
    return {name: np.stack([_pixels(path) for path in paths]) for name, paths in samples.items()}


@pytest.fixture(scope="session")
def files(samples: dict[str, list[Path]]) -> dict[str, NDArray[np.object_]]:
    """The sample files, [N], by model name."""
    return {name: np.array([path.read_bytes() for path in paths], object) for name, paths in samples.items()}


@pytest.fixture
def predicted(client: httpx.Client, samples: dict[str, list[Path]]) -> dict[str, NDArray[np.float64]]:
    """The probabilities of the sample pictures from ``/predict``, [N, K], by model name."""
    answers = {}
    for name, paths in samples.items():
        parts = [("file", (path.name, path.read_bytes())) for path in paths]
        predictions = client.post(f"/models/{name}/predict", files=parts).json()["predictions"]
        answers[name] = np.array([list(entry["probabilities"].values()) for entry in predictions])
    return answers


def _pixels(path: Path) -> NDArray[np.uint8]:
    picture = np.asarray(Image.open(path))
    return picture.reshape(*picture.shape[:2], -1)
