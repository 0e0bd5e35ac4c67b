"""The rendered manifests are valid, and their ports, paths, variables, times and users match the service."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from service.settings import Settings
from service.workers.stop_signals import DRAIN_GRACE_S
from tests.deploy.checked import CUSTOM_KINDS, Check
from tests.process import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("cpu", "gpu", "keda", "monitoring", "kserve")

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl, which renders the manifests")


def rendered(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.fixture(scope="session")
def manifests() -> dict[str, list[dict[str, Any]]]:
    return {overlay: rendered(FOLDER / overlay) for overlay in OVERLAYS}


def of_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    [found] = [document for document in documents if document["kind"] == kind]
    return found


def pods(manifests: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for documents in manifests.values():
        for document in documents:
            if document["kind"] == "Deployment":
                yield document["spec"]["template"]["spec"]
            elif document["kind"] == "ServingRuntime":
                yield document["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_it_is_valid(manifests: dict[str, list[dict[str, Any]]], overlay: str, faults_of: Check) -> None:
    for document in manifests[overlay]:
        if document["kind"] in CUSTOM_KINDS:
            assert faults_of(document) == []
        else:
            kubernetes_validate.validate(document, "1.33", strict=True)


def test_variables_are_settings_with_values_that_they_take(manifests: dict[str, list[dict[str, Any]]]) -> None:
    for pod in pods(manifests):
        [container] = pod["containers"]
        # KServe replaces this by the name of the InferenceService.
        values = {entry["name"]: entry["value"].replace("{{.Name}}", "pictures") for entry in container["env"]}
        assert all(name.removeprefix("CONVOY_").lower() in Settings.model_fields for name in values)
        read = Settings(**{name.removeprefix("CONVOY_").lower(): value for name, value in values.items()})
        assert read.host == "0.0.0.0"
        assert [port["containerPort"] for port in container["ports"]] == [read.port]
        for probe in ("readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] in ("http", read.port)


def test_the_time_to_end_is_longer_than_the_drain(manifests: dict[str, list[dict[str, Any]]]) -> None:
    for pod in pods(manifests):
        [container] = pod["containers"]
        values = {entry["name"]: entry["value"] for entry in container["env"]}
        waited = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain = float(values["CONVOY_DRAIN_TIMEOUT_S"]) + float(values.get("CONVOY_DRAIN_DELAY_S", 0)) + DRAIN_GRACE_S
        assert pod.get("terminationGracePeriodSeconds", 30) > waited + drain


def test_policy_budget_and_services_are_of_the_service_s_pods_and_of_no_others(
    manifests: dict[str, list[dict[str, Any]]],
) -> None:
    """A policy with an empty selector applies to all pods of the namespace; a budget without a selector to none."""
    for documents in (manifests["cpu"], manifests["gpu"], manifests["keda"]):
        deployment = of_kind(documents, "Deployment")["spec"]
        labels = deployment["template"]["metadata"]["labels"]
        selectors = [
            deployment["selector"]["matchLabels"],
            of_kind(documents, "Service")["spec"]["selector"],
            of_kind(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            of_kind(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
            *(
                spread["labelSelector"]["matchLabels"]
                for spread in deployment["template"]["spec"]["topologySpreadConstraints"]
            ),
        ]
        assert all(selector and selector.items() <= labels.items() for selector in selectors)


def test_a_start_may_take_as_long_as_trying_a_new_model(manifests: dict[str, list[dict[str, Any]]]) -> None:
    """Without a startup probe, the liveness probe would restart a pod that is still checking a new model."""
    longest_s = Settings.model_fields["model_load_timeout_s"].default
    for pod in pods(manifests):
        [container] = pod["containers"]
        probe = container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] > longest_s


def test_requests_are_taken_while_proxies_learn_that_a_pod_ends(manifests: dict[str, list[dict[str, Any]]]) -> None:
    for pod in pods(manifests):
        [container] = pod["containers"]
        values = {entry["name"]: entry["value"] for entry in container["env"]}
        waited = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        probe = container["readinessProbe"]
        assert (
            waited + float(values.get("CONVOY_DRAIN_DELAY_S", 0)) > probe["periodSeconds"] * probe["failureThreshold"]
        )


def test_a_new_model_file_is_refused_before_it_could_end_the_pod(manifests: dict[str, list[dict[str, Any]]]) -> None:
    idle_mebibytes = 160  # more than the service takes with the models of the image
    for pod in pods(manifests):
        [container] = pod["containers"]
        values = {entry["name"]: entry["value"] for entry in container["env"]}
        limit = int(values["CONVOY_MODEL_MEMORY_LIMIT_BYTES"]) >> 20
        memory = int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 1024
        # The service holds the file, and the process that tests it takes 60 MiB before it loads it.
        assert idle_mebibytes + limit + 60 + limit < memory


def test_no_pod_may_more_than_the_image_needs(manifests: dict[str, list[dict[str, Any]]]) -> None:
    [user] = {
        int(number) for number in re.findall(r"^USER ([1-9]\d*)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    }
    for pod in pods(manifests):
        [container] = pod["containers"]
        security = pod.get("securityContext", {}) | container["securityContext"]
        assert security["runAsNonRoot"]
        assert security["readOnlyRootFilesystem"]
        assert security["runAsUser"] == user
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp"}


def test_probes_ask_paths_that_the_service_answers(
    manifests: dict[str, list[dict[str, Any]]], client: httpx.Client
) -> None:
    paths = {
        container[probe]["httpGet"]["path"]
        for pod in pods(manifests)
        for container in pod["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
        if probe in container
    }
    assert paths >= {"/health/ready", "/health/live"}
    assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)


def test_autoscaling_asks_for_a_metric_that_there_is(
    manifests: dict[str, list[dict[str, Any]]], client: httpx.Client
) -> None:
    scaled = of_kind(manifests["keda"], "ScaledObject")
    trigger = scaled["spec"]["triggers"][0]["metadata"]
    metric = re.fullmatch(r"sum\((\w+)\{.*\}\)", trigger["query"])
    assert metric is not None
    assert f"\n{metric[1]}{{" in client.get("/metrics").text
    assert trigger["ignoreNullValues"] == "false"
    kinds = [document["kind"] for document in manifests["keda"]]
    assert "HorizontalPodAutoscaler" not in kinds  # two autoscalers would work against each other
    monitor = of_kind(manifests["monitoring"], "ServiceMonitor")
    service = of_kind([document for document in manifests["cpu"] if document["kind"] == "Service"], "Service")
    assert service["metadata"]["labels"].items() >= monitor["spec"]["selector"]["matchLabels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]


def test_the_monitor_takes_a_key(faults_of: Check) -> None:
    text = (FOLDER / "monitoring" / "servicemonitor.yaml").read_text()
    document = yaml.safe_load(text.replace("# authorization:", "authorization:"))
    assert document["spec"]["endpoints"][0]["authorization"]
    assert faults_of(document) == []


def test_pods_with_gpus_scale_on_the_queue(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    overlay = tmp_path / "kubernetes" / "mine"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(json.dumps({"resources": ["../gpu"], "components": ["../queue"]}))
    documents = rendered(overlay)
    assert of_kind(documents, "ScaledObject")["spec"]["scaleTargetRef"]["name"] == "convoy"
    assert "HorizontalPodAutoscaler" not in [document["kind"] for document in documents]


def test_the_policy_takes_the_rules_that_the_documents_have_for_downloads(
    manifests: dict[str, list[dict[str, Any]]],
) -> None:
    [block] = re.findall(r"```yaml\n(egress:\n.*?)```", (ROOT / "docs" / "scaling.md").read_text(), re.DOTALL)
    policy = copy.deepcopy(of_kind(manifests["cpu"], "NetworkPolicy"))
    policy["spec"] |= yaml.safe_load(block)
    kubernetes_validate.validate(policy, "1.33", strict=True)


def test_models_come_from_each_kind_of_volume_that_the_documents_name(
    manifests: dict[str, list[dict[str, Any]]],
) -> None:
    text = (ROOT / "docs" / "scaling.md").read_text()
    [block] = re.findall(r"```yaml\n(volumes:\n.*?)```", text, re.DOTALL)
    volumes = yaml.safe_load(block)["volumes"]
    assert len(volumes) == 3
    for volume in volumes:
        deployment = copy.deepcopy(of_kind(manifests["cpu"], "Deployment"))
        pod = deployment["spec"]["template"]["spec"]
        pod["volumes"].append(volume)
        pod["containers"][0]["volumeMounts"].append({"name": volume["name"], "mountPath": "/models", "readOnly": True})
        kubernetes_validate.validate(deployment, "1.33", strict=True)


def test_kserve_puts_the_port_of_grpc_before_that_of_http(
    manifests: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    """KServe merges containers as kubectl does (``MergeRuntimeContainers``); port 80 of its Service is the first."""
    [container] = of_kind(manifests["kserve"], "ServingRuntime")["spec"]["containers"]
    [said] = re.findall(r"names the port: `ports: (\[.*?\])`", (ROOT / "docs" / "scaling.md").read_text())
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": {"containers": [container]}}
    patch = {"spec": {"containers": [{"name": container["name"], "ports": yaml.safe_load(said)}]}}
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    command = ("kubectl", "patch", "--local", "-f", str(tmp_path / "pod.json"), "--type", "strategic", "-o", "json")
    done = subprocess.run([*command, "-p", json.dumps(patch)], capture_output=True, text=True, check=True)
    ports = json.loads(done.stdout)["spec"]["containers"][0]["ports"]
    values = {entry["name"]: entry["value"] for entry in container["env"]}
    assert [str(port["containerPort"]) for port in ports] == [values["CONVOY_GRPC_PORT"], values["CONVOY_PORT"]]
    assert [port["name"] for port in ports] == ["h2c", "http1"]


def test_the_component_for_grpc_fits(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    overlay = tmp_path / "kubernetes" / "mine"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(json.dumps({"resources": ["../cpu"], "components": ["../grpc"]}))
    documents = rendered(overlay)
    for document in documents:
        kubernetes_validate.validate(document, "1.33", strict=True)
    [container] = of_kind(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "CONVOY_GRPC_PORT", "value": "8001"} in container["env"]
    assert "lifecycle" not in container  # in preStop, before SIGTERM, the health check would still say "serving"
    values = {entry["name"]: entry["value"] for entry in container["env"]}
    assert float(values["CONVOY_DRAIN_DELAY_S"]) > 4
    pod = of_kind(documents, "Deployment")["spec"]["template"]["spec"]
    drain = float(values["CONVOY_DRAIN_DELAY_S"]) + float(values["CONVOY_DRAIN_TIMEOUT_S"]) + DRAIN_GRACE_S
    assert pod["terminationGracePeriodSeconds"] > drain
    assert {"port": "grpc"} in of_kind(documents, "NetworkPolicy")["spec"]["ingress"][0]["ports"]
