"""The labels of versions in requests of TF Serving, and the two labels of a network with one unit."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.dialects.instances import b64
from tests.fixtures.models import copy_models, publish
from tests.fixtures.tiny_models import tiny_model
from tests.process import ROOT, ServerProcess


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("/labels/stable", "model 'cifar10' has no version label 'stable'; it has none"),
        ("/labels/1", ".../versions/1 names a version"),
    ],
)
def test_a_label_that_no_file_gives_is_not_guessed(client: httpx.Client, cat: bytes, place: str, said: str) -> None:
    answer = client.post(f"/v1/models/cifar10{place}:predict", json={"instances": [b64(cat)]})
    assert answer.status_code == 404
    assert said in answer.json()["error"]
    answer = client.get(f"/v1/models/cifar10{place}")
    assert (answer.status_code, said in answer.json()["error"]) == (404, True)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server whose model `cifar10` has labels for its versions."""
    folder = tmp_path_factory.mktemp("labelled")
    models = copy_models(folder / "models", "cifar10", "mnist")
    publish(models, "cifar10", "2", (ROOT / "models" / "cifar10" / "2" / "model.onnx").read_bytes())
    publish(models, "pets", "1", tiny_model("pets", props={"one_unit": "true"}))
    (models / "cifar10" / "version_labels").write_text("stable = 1\ncanary=2\n\nnext_1=3\n")
    (models / "mnist" / "version_labels").write_text("stable=newest")
    flags = ("--models-dir", str(models), "--dialects", "tfserving", "--model-alias", "served")
    with ServerProcess(folder / "log", *flags) as process, httpx.Client(base_url=process.url) as http:
        yield http


@pytest.mark.parametrize("name", ["cifar10", "served"])
@pytest.mark.parametrize(("label", "version"), [("stable", "1"), ("canary", "2")])
def test_a_label_means_the_version_that_its_file_says(
    labelled: httpx.Client, cat: bytes, name: str, label: str, version: str
) -> None:
    def of(verb: str, place: str) -> Any:
        members = {"predict": "instances", "classify": "examples"}
        document = {members[verb]: [{"image": b64(cat)}]}
        return labelled.post(f"/v1/models/{name}{place}:{verb}", json=document).json()

    other = "2" if version == "1" else "1"
    for verb in ("predict", "classify"):
        assert of(verb, f"/labels/{label}") == of(verb, f"/versions/{version}") != of(verb, f"/versions/{other}")
    status = labelled.get(f"/v1/models/{name}/labels/{label}").json()["model_version_status"]
    assert [(one["version"], one["state"]) for one in status] == [(version, "AVAILABLE")]
    metadata = labelled.get(f"/v1/models/{name}/labels/{label}/metadata").json()
    assert metadata["model_spec"]["version"] == version


@pytest.mark.parametrize(
    ("name", "label", "said"),
    [
        ("cifar10", "beta", "has no version label 'beta'; it has stable, canary, next_1"),
        ("cifar10", "next_1", "'next_1' is version 3: model 'cifar10' has no version '3'; it has 1, 2"),
        ("mnist", "stable", "line 1, 'stable=newest', must be a label"),
        ("dog", "stable", "no model 'dog' is served"),
        ("cifar10", "STABLE", "has no version label 'STABLE'"),
        ("cifar10", "a%2Fb", "there is no /v1/models/cifar10/labels/a/b"),
    ],
)
def test_other_labels_are_refused(labelled: httpx.Client, cat: bytes, name: str, label: str, said: str) -> None:
    path = f"/v1/models/{name}/labels/{label}"
    for answer in (
        labelled.post(f"{path}:predict", json={"instances": [b64(cat)]}),
        labelled.get(path),
        labelled.get(f"{path}/metadata"),
    ):
        assert answer.status_code == 404
        assert said in answer.json()["error"]


def test_the_labels_stand_in_the_description_of_the_model(labelled: httpx.Client) -> None:
    described = {model["name"]: model["version_labels"] for model in labelled.get("/models").json()["models"]}
    assert described == {"cifar10": {"stable": "1", "canary": "2", "next_1": "3"}, "mnist": {}, "pets": {}}


def test_a_network_with_one_unit_answers_the_second_label_alone(labelled: httpx.Client, cat: bytes) -> None:
    def of(verb: str, document: dict[str, Any]) -> Any:
        return labelled.post(f"/v1/models/pets:{verb}", json=document).json()

    ranked = of("classify", {"examples": [{"image": b64(cat)}]})["result"][0]
    second = dict(ranked)["square"]
    assert len(ranked) == 2
    assert of("predict", {"instances": [b64(cat)] * 2}) == {"predictions": [[second]] * 2}
    assert of("predict", {"inputs": [b64(cat)]}) == {"outputs": [[second]]}
    metadata = labelled.get("/v1/models/pets/metadata").json()["metadata"]["signature_def"]["signature_def"]
    shape = metadata["serving_default"]["outputs"]["probabilities"]["tensor_shape"]["dim"]
    assert [one["size"] for one in shape] == ["-1", "1"]
