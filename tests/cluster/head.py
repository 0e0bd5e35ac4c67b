"""The head of the cluster: starts Ray, and executes orders, one JSON line each, from standard input. Run on host 1.

::

    {"do": "nodes"}                            the addresses of the hosts that are alive
    {"do": "deploy", "autoscaling": {...}}     serve.yaml, with other bounds of its autoscaling
    {"do": "replicas"}                         [address, id] of each that runs
    {"do": "end"}                              stops serving
    {"do": "score", "arguments": [...]}        deploy.ray.score; answers at once, and once more at the end
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
import yaml
from ray import serve
from ray.serve._private import api
from ray.serve.context import _get_global_client
from ray.serve.schema import ServeDeploySchema

CONFIG = Path("deploy/ray/serve.yaml")


def deploy(autoscaling: dict[str, Any]) -> None:
    """Deploys the config as ``serve run`` does."""
    document = yaml.safe_load(CONFIG.read_text())
    [application] = document["applications"]
    [deployment] = application["deployments"]
    deployment["autoscaling_config"] |= autoscaling
    deployment["graceful_shutdown_timeout_s"] = 5
    config = ServeDeploySchema.model_validate(document)
    client = api.serve_start(
        http_options={"location": config.proxy_location, **config.http_options.model_dump(exclude_unset=True)}
    )
    client.deploy_apps(config, _blocking=True)


def replicas() -> list[list[str]]:
    """[address, id] of the replicas that run."""
    details = _get_global_client().get_serve_details()
    found = details["applications"]["convoy"]["deployments"]["convoy"]["replicas"]
    return [[replica["node_ip"], replica["replica_id"]] for replica in found if replica["state"] == "RUNNING"]


def say(answered: object) -> None:
    """Prints an answer with a mark, since Ray prints warnings to standard output too."""
    print(f"> {json.dumps(answered)}", flush=True)


def answer(order: dict[str, Any]) -> object:
    """Executes one order."""
    match order["do"]:
        case "nodes":
            return sorted(node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"])
        case "deploy":
            deploy(order["autoscaling"])
            return None
        case "replicas":
            return replicas()
        case "end":
            serve.shutdown()
            return None
        case "score":
            say("started")
            command = [sys.executable, "-m", "deploy.ray.score", *order["arguments"]]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return {"status": done.returncode, "output": done.stdout, "errors": done.stderr}
    raise ValueError(order)


def main(arguments: Sequence[str]) -> None:
    """Starts Ray with these options, and executes orders until standard input ends."""
    start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--include-dashboard=false", *arguments]
    subprocess.run(start, check=True, stdout=sys.stderr)
    ray.init("auto", log_to_driver=False)
    say("ready")
    for line in sys.stdin:
        say(answer(json.loads(line)))


if __name__ == "__main__":
    main(sys.argv[1:])
