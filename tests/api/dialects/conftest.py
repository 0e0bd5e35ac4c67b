"""Fixtures for the tests of the dialects: a server with all of them, and the answers of its ``/predict``."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.process import ServerProcess

DIALECTS = ("huggingface", "sagemaker", "tfserving", "torchserve", "vertex")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of the committed models with every dialect."""
    folder = tmp_path_factory.mktemp("dialects")
    with ServerProcess(folder / "log", "--dialects", ",".join(DIALECTS)) as process:
        yield process


@pytest.fixture
def predicted(client: httpx.Client) -> Callable[..., dict[str, float]]:
    """The probabilities of a picture from ``/predict``, the highest first."""

    def ask(picture: bytes, path: str = "/models/cifar10/predict") -> dict[str, float]:
        answer = client.post(path, content=picture, headers={"Content-Type": "image/png"})
        probabilities: dict[str, float] = answer.json()["predictions"][0]["probabilities"]
        return dict(sorted(probabilities.items(), key=lambda pair: -pair[1]))

    return ask
