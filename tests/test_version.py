"""The version is the same everywhere, installed or not."""

import tomllib

import httpx

from service import __version__
from tests.process import ROOT
from tests.telemetry.metrics.page import Page


def test_a_checkout_reports_the_version_of_its_source(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json()["info"]["version"] == __version__
    assert Page.of(client).value("convoy_build_info", version=__version__) == 1


def test_a_package_is_built_with_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "service/__init__.py"
