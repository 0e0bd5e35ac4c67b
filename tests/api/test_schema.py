"""The OpenAPI schema, tested with a fuzzer and a client generator that read it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.parameters import Parameters
from tests.api.dialects.conftest import DIALECTS
from tests.fixtures.keys import write_keys
from tests.fixtures.models import copy_models
from tests.process import ROOT, ServerProcess

pytestmark = pytest.mark.slow

SCRIPTS = Path(sys.executable).parent


def _run(*command: str | Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, output
    return output


def _fuzz(server: ServerProcess, folder: Path, *arguments: str) -> str:
    return _run(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
        *("--phases", "examples,coverage,fuzzing", "--checks", "all", "--continue-on-failure"),
        *("--max-examples", "8", "--generation-deterministic", "--no-color", "--request-timeout", "110", *arguments),
        cwd=folder,
        SCHEMATHESIS_HOOKS="tests.api.schemathesis_hooks",
        PYTHONPATH=str(ROOT),
    )


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with long time limits, since slow answers are no fault in these tests."""
    with ServerProcess(tmp_path / "log", "--request-timeout-s", "600") as process:
        yield process


@pytest.fixture
def speaking(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with long time limits and every dialect."""
    models = copy_models(tmp_path / "models", "cifar10", "mnist")
    (models / "cifar10" / "version_labels").write_text("stable=1")
    flags = ("--request-timeout-s", "600", "--models-dir", str(models), "--dialects", ",".join(DIALECTS))
    with ServerProcess(tmp_path / "log", *flags) as process:
        yield process


@pytest.fixture
def controlled(tmp_path: Path) -> Iterator[tuple[ServerProcess, str]]:
    """A separate server whose models may be loaded and unloaded."""
    flags, keys = write_keys(tmp_path, all=("predict", "control"))
    flags += ["--models-dir", str(copy_models(tmp_path / "models", "cifar10", "mnist")), "--model-control", "true"]
    with ServerProcess(tmp_path / "log", *flags) as process:
        yield process, keys["all"]


def test_every_operation_keeps_what_the_schema_says(patient: ServerProcess, tmp_path: Path) -> None:
    output = _fuzz(patient, tmp_path)
    assert "29 selected / 29 total" in output


def test_the_dialects_keep_what_the_schema_says(speaking: ServerProcess, tmp_path: Path) -> None:
    output = _fuzz(speaking, tmp_path, "--include-tag-regex", "^dialect:", "--max-examples", "5")
    assert "27 selected" in output


def test_model_control_keeps_what_the_schema_says(controlled: tuple[ServerProcess, str], tmp_path: Path) -> None:
    process, key = controlled
    # Two headers can hold the key, so a wrong value in one does not make a request invalid; test_gate.py changes both.
    flags = ("--header", f"X-API-Key: {key}", "--exclude-checks", "ignored_auth")
    output = _fuzz(process, tmp_path, "--include-tag", "model repository", *flags)
    assert "3 selected" in output


def test_a_generated_client_classifies_pictures(
    server: ServerProcess, client: httpx.Client, samples: dict[str, list[Path]], tmp_path: Path
) -> None:
    (tmp_path / "openapi.json").write_bytes(client.get("/openapi.json").content)
    _run(
        *("openapi-python-client", "generate", "--path", "openapi.json"),
        *("--meta", "none", "--output-path", "convoy_client"),
        cwd=tmp_path,
    )
    pictures = [str(path) for path in samples["cifar10"]]
    output = _run(*(sys.executable, ROOT / "tests/api/generated_client_calls.py", server.url, *pictures), cwd=tmp_path)
    one, *several = output.split()
    assert one == several[0]
    truth = [path.name.split("_")[1] for path in samples["cifar10"]]
    right = sum(label == true for label, true in zip(several, truth, strict=True))
    assert right >= 12  # of 20; the model is right on 3 of 4


class TestDocument:
    @pytest.fixture
    def document(self, client: httpx.Client) -> dict[str, Any]:
        document: dict[str, Any] = client.get("/openapi.json").json()
        return document

    @pytest.fixture
    def operations(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        return [operation for path in document["paths"].values() for operation in path.values()]

    def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(
        self, operations: list[dict[str, Any]]
    ) -> None:
        ids = [operation["operationId"] for operation in operations]
        assert len(set(ids)) == len(ids)
        assert all(operation["summary"] and operation["description"] and operation["tags"] for operation in operations)

    def test_files_of_a_form_can_be_uploaded_from_the_docs_page(self, document: dict[str, Any]) -> None:
        content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
        file = content["multipart/form-data"]["schema"]["properties"]["file"]
        assert (file["type"], file["items"]) == ("array", {"type": "string", "format": "binary"})

    def test_metrics_are_described_as_text(self, document: dict[str, Any]) -> None:
        answer = document["paths"]["/metrics"]["get"]["responses"]["200"]
        assert answer["content"] == {"text/plain": {"schema": {"type": "string"}}}

    def test_there_is_no_answer_that_no_route_gives(self, document: dict[str, Any]) -> None:
        assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()

    @pytest.mark.parametrize(
        "path", ["/predict", "/models/{name}/predict", "/models/{name}/versions/{version}/predict"]
    )
    def test_the_query_the_form_and_the_json_take_the_same(self, document: dict[str, Any], path: str) -> None:
        query, form, members = _places(document, path)
        in_path = {"name": "model", "version": "version"}
        said = {in_path[name] for name in in_path if f"{{{name}}}" in path}
        assert query.keys() == form.keys() == set(Parameters._fields) - said
        assert members.keys() == set(Parameters._fields)  # one schema for all three paths
        for name, field in query.items():
            schema = form[name]
            assert field["description"] == schema["description"] == members[name]["description"]
            assert {**field["schema"], "description": field["description"]} == schema
            assert field["schema"] in members[name]["anyOf"]

    @pytest.mark.parametrize("path", ["/preprocess", "/explain", "/layers"])
    def test_so_do_those_of_the_routes_about_one_picture(self, document: dict[str, Any], path: str) -> None:
        query, form, members = _places(document, path)
        assert query.keys() - {"label"} == form.keys() == members.keys() == {"model", "version", "prepare"}

    def test_each_place_takes_what_the_document_says(
        self, document: dict[str, Any], client: httpx.Client, samples: dict[str, list[Path]]
    ) -> None:
        picture = samples["mnist"][0].read_bytes()
        chosen = {"top_k": 3, "min_confidence": 0.5, "coverage": 0.95, "model": "mnist", "version": "1"}
        values: dict[str, Any] = {
            name: chosen.get(name, field["schema"].get("enum", [True])[-1])
            for name, field in _places(document, "/predict")[0].items()
        }
        written = {name: json.dumps(value) if value is True else str(value) for name, value in values.items()}
        answers = [
            client.post("/predict", params=written, content=picture),
            client.post("/predict", data=written, files={"file": picture}),
            client.post("/predict", json={**values, "images": [base64.b64encode(picture).decode()]}),
        ]
        assert [answer.status_code for answer in answers] == [200] * 3, [answer.text for answer in answers]
        for answer in answers:
            assert {"label_set", "familiarity", "receipt", "top"} <= answer.json()["predictions"][0].keys()


def _places(document: dict[str, Any], path: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Parameters by name: of the query, of the form, and of the JSON, without the pictures."""
    operation = document["paths"][path]["post"]
    content = operation["requestBody"]["content"]
    named = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    form = content["multipart/form-data"]["schema"]["properties"]
    members = document["components"]["schemas"][named]["properties"]
    query = {one["name"]: one for one in operation["parameters"] if one["in"] == "query"}
    return query, _without("file", form), _without("images", members)


def _without(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
