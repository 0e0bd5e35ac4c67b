"""Every setting and every metric is documented."""

import json
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic.fields import FieldInfo

from service.api.problems import FAILURES
from service.errors import ConvoyError
from service.grpc.statuses import CODES
from service.settings import Settings
from tests.process import ROOT

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def row(name: str, field: FieldInfo) -> str:
    """A setting's line in the table of docs/configuration.md."""
    default = field.get_default(call_default_factory=True)
    shown = str(default) if isinstance(default, Path) else json.dumps(default, default=str).strip('"')
    text = (field.description or "").replace("<", "&lt;")
    return f"| `CONVOY_{name.upper()}` | `--{name.replace('_', '-')}` | {shown} | {text} |"


@pytest.mark.parametrize(("name", "field"), Settings.model_fields.items())
def test_every_setting_is_documented(name: str, field: FieldInfo) -> None:
    assert row(name, field) in CONFIGURATION.splitlines()


def test_no_setting_is_documented_that_is_not_there() -> None:
    known = {f"CONVOY_{name.upper()}" for name in Settings.model_fields}
    documented = {line.split("`")[1] for line in CONFIGURATION.splitlines() if line.startswith("| `CONVOY_")}
    assert documented == known


def test_every_metric_is_documented(client: httpx.Client) -> None:
    page = text_string_to_metric_families(client.get("/metrics").text)
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in page}
    documented = {line.split("`")[1] for line in OPERATIONS.splitlines() if line.startswith("| `")}
    assert names <= documented | {"convoy_drift_index"}
    assert "convoy_drift_index" in documented


@pytest.mark.parametrize("error", FAILURES)
def test_every_error_is_documented(error: type[ConvoyError]) -> None:
    status, when = FAILURES[error]
    code = f" {CODES[error].name}" if error in CODES else ""
    assert f"| {status.value} |{code} | {when} |" in API.splitlines()
