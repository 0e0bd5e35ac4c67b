"""Rules and dashboard against the real Prometheus and a real service under load."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.conftest import CONFIG, Prometheus, dashboard_queries
from tests.process import ROOT

pytestmark = pytest.mark.slow

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool in PATH (Debian: apt-get install prometheus)"
)


@needs_promtool
@pytest.mark.parametrize("arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")])
def test_promtool_finds_nothing_wrong(arguments: tuple[str, ...]) -> None:
    ended = subprocess.run(["promtool", *arguments], cwd=CONFIG, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(("panel", "query"), dashboard_queries())
def test_every_panel_shows_something(prometheus: Prometheus, panel: str, query: str) -> None:
    assert prometheus.first_answer(query), panel


def test_every_rule_evaluates_and_every_indicator_has_a_value(prometheus: Prometheus) -> None:
    prometheus.first_answer("job:convoy_request_seconds:p99_rate5m")  # the last rule to have two samples
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {(rule["name"], rule["health"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"} == set()
    for rule in rules:
        if rule["type"] == "recording":
            assert prometheus.first_answer(rule["name"]), rule["name"]


def test_a_healthy_service_raises_no_alert(prometheus: Prometheus) -> None:
    prometheus.first_answer("job:convoy_predictions:rate5m")
    assert prometheus.ask("alerts")["alerts"] == []


def test_the_query_of_the_autoscaler_is_one_number_and_nothing_without_data(prometheus: Prometheus) -> None:
    scaled = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "queue" / "scaledobject.yaml").read_text())
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    selector = '{service="convoy"}'  # the Prometheus operator adds this label; it does not exist here
    assert selector in query
    assert len(prometheus.first_answer(query.replace(selector, ""))) == 1
    assert prometheus.ask("query", query=query)["result"] == []


@needs_promtool
def test_the_scrape_takes_a_key(tmp_path: Path) -> None:
    shutil.copytree(CONFIG, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "prometheus.yml"
    with_key = path.read_text().replace("# authorization:", "authorization:")
    assert with_key != path.read_text()
    path.write_text(with_key)
    (tmp_path / "convoy.key").write_text("secret")
    done = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_alert_has_its_section_in_the_runbook(prometheus: Prometheus) -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()
    alerts = [rule for group in prometheus.ask("rules", type="alert")["groups"] for rule in group["rules"]]
    assert len(alerts) > 0
    for alert in alerts:
        assert f"\n### {alert['name']}\n" in operations
        assert alert["annotations"]["runbook"].startswith(f"docs/operations.md#{alert['name'].lower()}: ")
