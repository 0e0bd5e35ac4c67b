"""Environment variables: settings, variables that Kubernetes sets, and misspelt names."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from service.environment import remarks
from service.errors import SettingError
from service.settings import Settings
from service.settings_reader import read_settings
from tests.process import ROOT, ServerProcess

OF_A_SERVICE = {
    "CONVOY_PORT": "tcp://10.96.12.5:8000",
    "CONVOY_SERVICE_HOST": "10.96.12.5",
    "CONVOY_SERVICE_PORT": "8000",
    "CONVOY_SERVICE_PORT_HTTP": "8000",
    "CONVOY_PORT_8000_TCP": "tcp://10.96.12.5:8000",
    "CONVOY_PORT_8000_TCP_PROTO": "tcp",
    "CONVOY_PORT_8000_TCP_PORT": "8000",
    "CONVOY_PORT_8000_TCP_ADDR": "10.96.12.5",
    # of a Service named convoy-grpc
    "CONVOY_GRPC_PORT": "tcp://10.96.12.6:8001",
    "CONVOY_GRPC_SERVICE_HOST": "10.96.12.6",
    "CONVOY_GRPC_PORT_8001_TCP_ADDR": "10.96.12.6",
}


def test_what_kubernetes_sets_is_passed_over_in_one_line() -> None:
    (line,) = remarks(OF_A_SERVICE, Settings.model_fields)
    assert all(name in line for name in OF_A_SERVICE)
    assert "enableServiceLinks: false" in line


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("CONVOY_WORKER", "CONVOY_WORKER is not a setting; did you mean CONVOY_WORKERS?"),
        ("CONVOY_MAX_BATCHSIZE", "CONVOY_MAX_BATCHSIZE is not a setting; did you mean CONVOY_MAX_BATCH_SIZE?"),
        ("CONVOY_KEY_FILE", "CONVOY_KEY_FILE is not a setting; did you mean CONVOY_KEYS_FILE?"),
        ("CONVOY_QQQQ", "CONVOY_QQQQ is not a setting"),
    ],
)
def test_what_is_misspelt(name: str, line: str) -> None:
    assert remarks({name: "1"}, Settings.model_fields) == [line]


def test_settings_and_what_is_not_ours_need_no_remark() -> None:
    environment = {f"CONVOY_{name.upper()}": "1" for name in Settings.model_fields}
    assert not remarks({**environment, "PATH": "/bin", "OTHER_PORT": "tcp://1.2.3.4:5"}, Settings.model_fields)


@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - {"keys_file", "forwarded_allow_ips"}))
def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"CONVOY_{name.upper()}", "")
    assert name not in read_settings([]).model_fields_set


def test_an_empty_list_of_proxies_trusts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVOY_FORWARDED_ALLOW_IPS", "")
    assert read_settings([]).forwarded_allow_ips == ""


@pytest.mark.slow
def test_a_pod_beside_a_service_named_convoy_starts(tmp_path: Path) -> None:
    environment = {**OF_A_SERVICE, "CONVOY_WORKER": "3", "CONVOY_CORS_ORIGINS": "https://a.org, https://b.org"}
    with ServerProcess(tmp_path / "log", "--log-format", "text", env=environment) as process:
        answer = httpx.options(
            f"{process.url}/predict", headers={"Origin": "https://b.org", "Access-Control-Request-Method": "POST"}
        )
        assert answer.headers["access-control-allow-origin"] == "https://b.org"
    warnings = [line for line in (tmp_path / "log").read_text().splitlines() if "WARNING" in line]
    assert len(warnings) == 2


@pytest.mark.parametrize(
    ("environment", "flags", "said"),
    [
        ({"CONVOY_PORT": "http"}, (), "CONVOY_PORT=http: Input should be a valid integer"),
        ({"CONVOY_PORT": "8000"}, ("--port", "99999"), "--port 99999: Input should be less than or equal to 65535"),
        ({}, ("--workers=none",), "--workers none: Input should be a valid integer"),
        ({"CONVOY_SHARE_PORT": "perhaps"}, (), "CONVOY_SHARE_PORT=perhaps: Input should be a valid boolean"),
        (
            {"CONVOY_CORS_ORIGINS": '["https://a.org"'},
            (),
            'CONVOY_CORS_ORIGINS=["https://a.org": it is not a JSON list',
        ),
        (
            {"CONVOY_LOG_LEVEL": "loud"},
            (),
            "CONVOY_LOG_LEVEL=loud: Input should be 'debug', 'info', 'warning' or 'error'",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_origin(
    environment: dict[str, str], flags: tuple[str, ...], said: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "service", *flags],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "flags", "said"),
    [
        ({"CONVOY_KEYS_FILE": ""}, (), "CONVOY_KEYS_FILE=: it names no file or folder; to do without one, remove"),
        ({}, ("--keys-file", ""), "--keys-file : it names no file"),
        ({}, ("--known-models-dir", ""), "--known-models-dir : it names no file or folder"),
        (
            {"CONVOY_CORS_ORIGINS": '["https://a.org", 3]'},
            (),
            "CONVOY_CORS_ORIGINS, element 2, 3: Input should be a valid string",
        ),
        ({}, ("--dialects", "vertex,kserve"), "--dialects, element 2, kserve: Input should be 'huggingface'"),
    ],
)
def test_an_empty_path_and_an_element_of_a_list_are_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], flags: tuple[str, ...], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError) as raised:
        read_settings(flags)
    assert str(raised.value).startswith(said)
