"""What KServe puts at one folder is served under the name that it asks for."""

import shutil
from pathlib import Path

import httpx
import pytest

from bench.server_process import ServerProcess
from service.inference.model_key import read_model_key
from tests.process import ROOT, SAMPLES

MODEL = ROOT / "models" / "cifar10" / "2" / "model.onnx"


def test_a_file_says_its_name_and_version(tmp_path: Path) -> None:
    assert read_model_key(MODEL) == ("cifar10", "2")
    whole = MODEL.read_bytes()
    for number, content in enumerate((b"", b"\xff" * 100, b"\x72\x05\x0a", whole[:1000], whole[:1000] + b"\x07")):
        path = tmp_path / str(number)
        path.write_bytes(content)
        assert read_model_key(path) is None


@pytest.mark.slow
@pytest.mark.parametrize("lies_alone", [True, False], ids=["one file", "a repository"])
def test_it_answers_under_the_alias(tmp_path: Path, lies_alone: bool) -> None:
    place = tmp_path / "models" if lies_alone else tmp_path / "models" / "cifar10" / "2"
    place.mkdir(parents=True)
    shutil.copy(MODEL, place)
    with (
        ServerProcess(
            tmp_path / "log", "--models-dir", str(tmp_path / "models"), "--model-alias", "pictures"
        ) as served,
        httpx.Client(base_url=served.url) as client,
    ):
        for name in ("pictures", "pictures/versions/2", "cifar10"):
            assert client.get(f"/v2/models/{name}/ready").status_code == 200
            assert client.get(f"/v2/models/{name}").json()["versions"] == ["2"]
        picture = (SAMPLES / "cifar10_cat_0.png").read_bytes()
        answers = [client.post("/predict", params={"model": name}, content=picture) for name in ("pictures", "cifar10")]
        assert [answer.json()["predictions"][0]["label"] for answer in answers] == ["cat", "cat"]
        assert client.get("/v2/models/other/ready").status_code == 404
