"""Settings from the variables of hosting platforms, and their precedence."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from service.errors import SettingError
from service.health_check import main as health
from service.hosting import HostingError, host_settings
from service.settings_reader import read_settings
from tests.process import ServerProcess

VERTEX = {"AIP_PREDICT_ROUTE": "/v1/endpoints/1/deployedModels/2:predict", "AIP_HTTP_PORT": "8080"}


@pytest.mark.parametrize(
    ("words", "variables", "wanted"),
    [
        ([], {}, 8000),
        ([], {"PORT": "9001"}, 8000),  # PORT is ignored unless port_variable names it
        ([], {"CONVOY_PORT_VARIABLE": "PORT"}, 8000),
        ([], {"CONVOY_PORT_VARIABLE": "PORT", "PORT": "9001"}, 9001),
        (["--port-variable", "PORT"], {"PORT": "9001"}, 9001),
        ([], {"CONVOY_PORT_VARIABLE": "PORT", "PORT": "9001", "CONVOY_PORT": "9002"}, 9002),
        ([], {"CONVOY_PORT_VARIABLE": "PORT", "PORT": "9001", "CONVOY_PORT": ""}, 9001),
        (["--port", "9003"], {"CONVOY_PORT_VARIABLE": "PORT", "PORT": "9001", "CONVOY_PORT": "9002"}, 9003),
        (["--port", "8000"], {"CONVOY_PORT_VARIABLE": "PORT", "PORT": "9001"}, 8000),  # although it is the default
        (["serve"], {}, 8080),
        (["serve"], {"SAGEMAKER_BIND_TO_PORT": "9004", "CONVOY_PORT_VARIABLE": "PORT", "PORT": "9001"}, 9004),
        ([], {"SAGEMAKER_BIND_TO_PORT": "9004"}, 8000),
        ([], VERTEX, 8080),
        ([], VERTEX | {"CONVOY_PORT": "9002"}, 9002),
    ],
)
def test_the_port(monkeypatch: pytest.MonkeyPatch, words: list[str], variables: dict[str, str], wanted: int) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert read_settings(words).port == wanted


def test_sagemaker(tmp_path: Path) -> None:
    variables = {
        "SAGEMAKER_MODEL_SERVER_WORKERS": "2",
        "SAGEMAKER_MODEL_SERVER_TIMEOUT": "60",
        "SAGEMAKER_CONTAINER_LOG_LEVEL": "30",
        "SAGEMAKER_MULTI_MODEL": "false",
    }
    asked = {"dialects": ("sagemaker",), "port": 8080, "workers": 2, "request_timeout_s": 60.0, "log_level": "warning"}
    assert host_settings(["serve"], variables, None, tmp_path) == asked
    (tmp_path / "cifar10").mkdir()
    assert host_settings(["serve"], variables, None, tmp_path)["models_dir"] == tmp_path
    assert host_settings(["serve"], variables, None, tmp_path / "none") == asked
    assert host_settings([], variables, None, tmp_path) == {}


def test_vertex_ai() -> None:
    health_route = {"AIP_HEALTH_ROUTE": "/v1/endpoints/1/deployedModels/2/"}
    assert host_settings([], VERTEX | health_route, None) == {
        "dialects": ("vertex",),
        "vertex_predict_route": "/v1/endpoints/1/deployedModels/2:predict",
        "vertex_health_route": "/v1/endpoints/1/deployedModels/2",
        "port": 8080,
    }


def test_a_dialect_of_the_host_is_added_to_those_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/p")
    assert read_settings(["--dialects", "torchserve,vertex"]).dialects == ("torchserve", "vertex")
    assert read_settings(["--dialects", "torchserve"]).dialects == ("torchserve", "vertex")


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        ([], VERTEX | {"AIP_STORAGE_URI": "gs://bucket/models"}, "build them into the image"),
        ([], VERTEX | {"AIP_HTTP_PORT": "http"}, "AIP_HTTP_PORT=http: it must be a whole number from 1 to 65535"),
        ([], VERTEX | {"AIP_PREDICT_ROUTE": "predict"}, "AIP_PREDICT_ROUTE=predict: it must be a path"),
        ([], VERTEX | {"AIP_PREDICT_ROUTE": "/a b"}, "without blanks"),
        ([], VERTEX | {"AIP_PREDICT_ROUTE": "/a%20b"}, "without blanks"),  # never matched, since paths are decoded
        ([], VERTEX | {"AIP_HEALTH_ROUTE": "/{a}"}, "AIP_HEALTH_ROUTE=/{a}: it must be a path"),
        ([], {"PORT": "70000"}, "PORT=70000: it must be a whole number from 1 to 65535"),
        ([], {"PORT": "²"}, "PORT=²"),
        (["serve"], {"SAGEMAKER_MULTI_MODEL": "true"}, "multi-model endpoints are not supported"),
        (["serve"], {"SAGEMAKER_CONTAINER_LOG_LEVEL": "loud"}, "it must be one of 10, 20"),
        (["serve"], {"SAGEMAKER_MODEL_SERVER_WORKERS": "0"}, "from 1 to 256"),
    ],
)
def test_what_cannot_be_followed_is_named(words: list[str], variables: dict[str, str], said: str) -> None:
    with pytest.raises(HostingError) as raised:
        host_settings(words, variables, "PORT")
    assert said in str(raised.value)


def test_the_start_ends_where_it_cannot_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/p")
    monkeypatch.setenv("AIP_STORAGE_URI", "gs://bucket")
    with pytest.raises(SettingError, match="AIP_STORAGE_URI=gs://bucket: models are not fetched"):
        read_settings([])


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        (
            ["serve", "--model-control", "true", "--keys-file", "k"],
            {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"},
            "model_control needs workers = 1, not 2",
        ),
        (["serve", "--grpc-port", "8080"], {}, "grpc_port must differ from port: both are 8080"),
        (["--port", "9001", "--grpc-port", "9001"], {}, "grpc_port must differ from port: both are 9001"),
    ],
)
def test_settings_are_checked_together_with_those_of_the_host(
    monkeypatch: pytest.MonkeyPatch, words: list[str], variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=said):
        read_settings(words)


def test_the_health_check_asks_at_the_host_s_port(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """If no service is found among the processes, the check uses its own flags and variables."""
    monkeypatch.setattr("service.health_check._services", lambda: iter(()))
    port = httpx.URL(server.url).port
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/p")
    monkeypatch.setenv("AIP_HTTP_PORT", str(port))
    assert health([]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "wrong"),
    [
        (["--prot", "1"], "--prot 1"),
        (["--port"], "--port"),
        (["1"], "1"),
        (["--port=1", "--hots=x"], "--hots=x"),
        (["--port", "1880O"], "--port 1880O"),
        (["--port=99999"], "--port=99999"),
        (["--port="], "--port="),
    ],
)
def test_the_health_check_refuses_a_flag_that_cannot_be(flags: list[str], wrong: str, capsys: Any) -> None:
    assert health(flags) == 2
    assert capsys.readouterr().err == f"{wrong}: the flags are --host HOST and --port 1 to 65535\n"


def test_sagemaker_starts_it_with_a_word(tmp_path: Path) -> None:
    """As ``docker run IMAGE serve``; only this test adds a flag, for a free port."""
    with ServerProcess(tmp_path / "log", module="tests.fixtures.serve_word") as process:
        assert httpx.get(f"{process.url}/ping").status_code == 200
