"""A model that KServe puts into a folder is served under the name in KServe's requests."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import onnx
import psutil
import pytest

from bench.server_process import ServerProcess
from service.inference.model_key import read_model_key
from service.inference.repository_files import model_path, survey
from tests.fixtures import tiny_models
from tests.inference.test_trial import repository
from tests.models.loading import make_loader
from tests.process import ROOT, SAMPLES

MODEL = ROOT / "models" / "cifar10" / "2" / "model.onnx"


def test_a_file_says_its_name_and_version(tmp_path: Path) -> None:
    assert read_model_key(MODEL) == ("cifar10", "2")
    whole = MODEL.read_bytes()
    for number, content in enumerate((b"", b"\xff" * 100, b"\x72\x05\x0a", whole[:1000], whole[:1000] + b"\x07")):
        path = tmp_path / str(number)
        path.write_bytes(content)
        assert read_model_key(path) is None


@pytest.mark.parametrize("place", ["folder.onnx", "3/model.onnx"])
def test_a_folder_in_the_place_of_a_model_leaves_no_file_open(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    before = psutil.Process().num_fds()
    assert survey(tmp_path).files == {}
    assert psutil.Process().num_fds() == before


def test_a_name_that_is_nested_too_deeply_is_no_name_and_other_models_are_found(tmp_path: Path) -> None:
    model = onnx.ModelProto()
    model.metadata_props.add(key="convoy.name", value="[" * 4000)
    onnx.save(model, tmp_path / "nested.onnx")
    put(tmp_path / "a.onnx", "birds", "1")
    assert list(survey(tmp_path).files) == [("birds", "1")]


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


def put(path: Path, name: str, version: str) -> None:
    """Writes a model with this name and version in its metadata."""
    model = onnx.load(MODEL)
    for entry in model.metadata_props:
        if entry.key in ("convoy.name", "convoy.version"):
            entry.value = json.dumps(name if entry.key == "convoy.name" else version)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("place", "version"),
    [("model.onnx", "3"), ("flowers v3.onnx", "3"), ("3/model.onnx", "3")],
    ids=["its usual name", "another name", "a folder of versions"],
)
def test_a_model_in_no_folders_that_name_it_is_found_by_what_it_says(tmp_path: Path, place: str, version: str) -> None:
    put(tmp_path / place, "flowers", version)
    (tmp_path / "default_version").write_text("3")
    (tmp_path / "version_labels").write_text("stable=3")
    found = survey(tmp_path)
    assert list(found.files) == [("flowers", "3")]
    assert found.foreign == ()
    assert found.default_versions == {"flowers": "3"}
    assert found.version_labels == {"flowers": "stable=3"}
    assert model_path(tmp_path, "flowers", "3") == tmp_path / place


def test_files_beside_each_other_and_folders_are_all_found_and_folders_come_first(tmp_path: Path) -> None:
    put(tmp_path / "a.onnx", "birds", "10")
    put(tmp_path / "b.onnx", "birds", "9")
    put(tmp_path / "c.onnx", "birds", "9")  # the second file with this name and version is ignored
    put(tmp_path / "d.onnx", "digits", "1")
    put(tmp_path / "digits" / "1" / "model.onnx", "digits", "1")
    put(tmp_path / "4" / "model.onnx", "birds", "5")
    (tmp_path / "other.onnx").write_bytes(b"")
    found = survey(tmp_path)
    assert list(found.files) == [("birds", "5"), ("birds", "9"), ("birds", "10"), ("digits", "1")]
    assert model_path(tmp_path, "birds", "9") == tmp_path / "b.onnx"
    assert model_path(tmp_path, "digits", "1") == tmp_path / "digits" / "1" / "model.onnx"
    assert tmp_path / "other.onnx" in found.foreign


def test_a_file_with_the_name_and_version_of_another_is_not_to_be_imported(tmp_path: Path) -> None:
    for name in ("a-new.onnx", "b-old.onnx"):
        put(tmp_path / name, "birds", "2")
    put(tmp_path / "c.onnx", "digits", "1")
    put(tmp_path / "digits" / "1" / "model.onnx", "digits", "1")
    used, other = tmp_path / "a-new.onnx", tmp_path / "b-old.onnx"
    unused = survey(tmp_path).unused(tmp_path)
    assert list(unused) == [other, tmp_path / "c.onnx"]
    assert unused[other] == f"{other}; it is birds version 2 like {used}, which is used: give it another version"


@pytest.mark.slow
def test_of_several_models_the_alias_is_the_default_one_s_or_says_that_there_is_none(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for name in ("birds", "flowers"):
        put(models / name / "1" / "model.onnx", name, "1")
    flags = ("--models-dir", str(models), "--model-alias", "pictures")
    with ServerProcess(tmp_path / "log", *flags) as served, httpx.Client(base_url=served.url) as client:
        answer = client.get("/v2/models/pictures")
        assert answer.status_code == 404
        assert answer.json()["error"] == (
            "'pictures' is a further name (setting model_alias) of the default model, and none is the default (setting "
            "default_model); served: birds, flowers"
        )
        assert client.get("/v2/models/birds/ready").status_code == 200
    with (
        ServerProcess(tmp_path / "log", *flags, "--default-model", "flowers") as served,
        httpx.Client(base_url=served.url) as client,
    ):
        picture = (SAMPLES / "cifar10_cat_0.png").read_bytes()
        answers = [
            client.post("/predict", params={"model": name}, content=picture).json()["model"]
            for name in ("pictures", "birds", "flowers")
        ]
        assert answers == ["flowers", "birds", "flowers"]
        assert "model 'flowers' has no version '7'" in client.get("/v2/models/pictures/versions/7").json()["error"]


async def test_a_version_that_is_unloaded_by_the_alias_is_named_so_in_the_index(tmp_path: Path) -> None:
    for version in ("1", "2"):
        tiny_models.put(tmp_path, "tiny", version, tiny_models.tiny_model("tiny", version))
    loader, _catalog = make_loader(repository(tmp_path, None), alias="shapes")
    await loader.load_all()
    assert await loader.unload("shapes", "1") == ["1"]
    assert [entry.reason for entry in await loader.index()] == ["unloaded", ""]
    await loader.close()


@pytest.mark.parametrize(("alias", "is_warned"), [("two", True), ("one", False), ("three", False)])
async def test_an_alias_that_is_the_name_of_another_model_is_warned_of(
    tmp_path: Path, alias: str, is_warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("one", "two"):
        tiny_models.put(tmp_path, name, "1", tiny_models.tiny_model(name))
    loader, catalog = make_loader(repository(tmp_path, None), "one", alias=alias)
    await loader.load_all()
    assert catalog.find(alias).metadata.name == ("two" if is_warned else "one")
    assert ("because another model has this name" in caplog.text) == is_warned
    await loader.close()


@pytest.mark.slow
def test_score_and_verify_read_a_file_that_lies_alone(tmp_path: Path) -> None:
    models, picture = tmp_path / "models", SAMPLES / "cifar10_cat_0.png"
    put(models / "animals.onnx", "animals", "1")
    flags = ("--models-dir", str(models))
    with ServerProcess(tmp_path / "log", *flags) as served:
        answer = httpx.post(f"{served.url}/predict", params={"receipt": "true"}, content=picture.read_bytes())
    (tmp_path / "answer.json").write_bytes(answer.content)
    score = ("score", str(picture.parent), "--model", "animals", *flags, "--out", str(tmp_path / "scores.csv"))
    for words in (score, ("verify", str(tmp_path / "answer.json"), str(picture), *flags)):
        command = (sys.executable, "-m", "service", *words)
        ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "\ncifar10_cat_0.png,cat," in (tmp_path / "scores.csv").read_text()
