"""What the tests of the dialects share: a server that speaks all of them, and what ``/predict`` answers there."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.process import ServerProcess

DIALECTS = ("huggingface", "sagemaker", "tfserving", "torchserve", "vertex")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of the committed models that speaks every dialect."""
    folder = tmp_path_factory.mktemp("dialects")
    with ServerProcess(folder / "log", "--dialects", ",".join(DIALECTS)) as process:
        yield process


@pytest.fixture
def predicted(client: httpx.Client) -> Callable[..., dict[str, float]]:
    """Asks ``/predict`` for the probabilities of a picture, the highest first."""

    def ask(picture: bytes, path: str = "/models/cifar10/predict") -> dict[str, float]:
        answer = client.post(path, content=picture, headers={"Content-Type": "image/png"})
        probabilities: dict[str, float] = answer.json()["predictions"][0]["probabilities"]
        return dict(sorted(probabilities.items(), key=lambda pair: -pair[1]))

    return ask
