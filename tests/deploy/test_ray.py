"""The files for Ray match each other and the service; ``make cluster-test`` runs them."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.ray.arguments import read_arguments
from service.errors import SettingError
from tests.deploy.checked import Check
from tests.process import ROOT

FOLDER = ROOT / "deploy" / "ray"
DOCKERFILES = (ROOT / "Dockerfile", FOLDER / "Dockerfile")
KUBERNETES = ROOT / "deploy" / "kubernetes"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_the_manifest_carries_the_config_word_for_word() -> None:
    config = (FOLDER / "serve.yaml").read_text().splitlines()
    assert read(FOLDER / "rayservice.yaml")["spec"]["serveConfigV2"].splitlines() == config[1:]


@pytest.mark.parametrize("name", ["serve.yaml", "serve-gpu.yaml"])
def test_the_config_fits_the_service(name: str) -> None:
    config = read(FOLDER / name)
    [application] = config["applications"]
    settings = read_arguments(application["args"])
    assert config["http_options"]["request_timeout_s"] > settings.request_timeout_s
    [deployment] = application["deployments"]
    assert deployment["name"] in (FOLDER / "service.py").read_text()
    assert deployment["max_ongoing_requests"] >= 2 * deployment["autoscaling_config"]["target_ongoing_requests"]
    assert deployment["graceful_shutdown_timeout_s"] > settings.drain_timeout_s
    assert (deployment["ray_actor_options"].get("num_gpus", 0) > 0) == (settings.execution_provider == "cuda")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("dialects", ["tfserving", "vertex"], ("tfserving", "vertex")),
        ("dialects", "tfserving,vertex", ("tfserving", "vertex")),
        ("cors_origins", ["https://a.org"], ("https://a.org",)),
        ("default_model", None, None),
        ("max_batch_size", None, None),
        ("request_timeout_s", 2.5, 2.5),
        ("page", False, False),
    ],
)
def test_args_are_read_as_yaml_means_them(name: str, value: object, expected: object) -> None:
    assert getattr(read_arguments({name: value}), name) == expected


def test_a_key_file_without_a_name_does_not_open_the_service() -> None:
    with pytest.raises(SettingError, match="it names no file"):
        read_arguments({"keys_file": None})


@pytest.mark.parametrize("name", ["port", "workers"])
def test_what_ray_decides_is_refused_in_args(name: str) -> None:
    with pytest.raises(SettingError, match=f"^{name} cannot be set on Ray Serve"):
        read_arguments({name: 2})


@pytest.mark.parametrize(
    ("name", "value"), [("GRPC_PORT", "8001"), ("MODEL_CONTROL", "true"), ("SHARE_PORT", "true"), ("WORKERS", "4")]
)
def test_what_ray_decides_is_refused_as_a_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVOY_KEYS_FILE", "keys.toml")
    monkeypatch.setenv(f"CONVOY_{name}", value)
    with pytest.raises(SettingError, match=f"^CONVOY_{name} cannot be set on Ray Serve"):
        read_arguments({})


def test_variables_that_say_where_to_listen_have_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVOY_PORT", "9000")
    assert read_arguments({"intra_op_threads": 1}).intra_op_threads == 1


def test_the_manifest_names_the_locked_version_of_ray() -> None:
    version = read(FOLDER / "rayservice.yaml")["spec"]["rayClusterConfig"]["rayVersion"]
    assert f"\nray=={version} " in (ROOT / "requirements" / "ray.txt").read_text()


def test_the_image_has_what_the_serving_image_has() -> None:
    serving, ray = (set(re.findall(r"^COPY (\w+) /app/\w+$", path.read_text(), re.M)) for path in DOCKERFILES)
    assert serving
    assert serving <= ray
    allowed = (FOLDER / "Dockerfile.dockerignore").read_text()
    assert all(f"\n!{name}\n" in allowed for name in ray)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (FOLDER / "rayservice.yaml", ("spec",)),
        (FOLDER / "rayservice.yaml", ("spec", "rayClusterConfig", "workerGroupSpecs", 0)),
        (FOLDER / "rayservice.yaml", ("spec", "rayClusterConfig", "headGroupSpec", "template", "spec")),
        (KUBERNETES / "queue" / "scaledobject.yaml", ("spec", "triggers", 0)),
        (KUBERNETES / "kserve" / "servingruntime.yaml", ("spec", "containers", 0, "readinessProbe")),
        (KUBERNETES / "kserve" / "inferenceservice.yaml", ("spec", "predictor", "model")),
        (KUBERNETES / "kserve" / "huggingface.yaml", ("spec", "predictor", "initContainers", 1)),
        (KUBERNETES / "monitoring" / "servicemonitor.yaml", ("spec", "endpoints", 0)),
    ],
)
def test_a_field_that_there_is_not_is_found(path: Path, place: tuple[str | int, ...], faults_of: Check) -> None:
    document = read(path)
    assert faults_of(document) == []
    changed = copy.deepcopy(document)
    at = changed
    for step in place:
        at = at[step]
    at["replicsa"] = 1
    [fault] = faults_of(changed)
    assert "replicsa" in fault
