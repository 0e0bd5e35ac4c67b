"""TorchServe: a Java front and Python workers, with a custom handler because the network is an ONNX file."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.peers import classify

_LOGGING = """<Configuration><Appenders><Console name="console"/></Appenders>
<Loggers><Root level="error"><AppenderRef ref="console"/></Root></Loggers></Configuration>
"""
_networks: list[classify.Network] = []


def handle(data: list[dict[str, Any]] | None, _context: Any) -> list[bytes] | None:
    """Answers the requests of one batch; the first call has no data and loads the network."""
    if not _networks:
        _networks.append(classify.Network())
    if data is None:
        return None
    arrays = [classify.decode(bytes(row.get("body") or row["data"])) for row in data]
    return [classify.answer(rows) for rows in _networks[0].run_many(arrays)]


def _lay_out(folder: Path) -> Path:
    """Writes a model store and the configuration."""
    store = folder / "store"
    store.mkdir()
    (folder / "handler.py").write_text("from bench.peers.torchserve import handle\n")
    archive = Path(sys.executable).with_name("torch-model-archiver")
    command = f"{archive} --model-name cifar10 --version 1.0 --handler {folder}/handler.py --export-path {store}"
    if os.system(command) != 0:
        sys.exit("torch-model-archiver failed")
    model = {
        "marName": "cifar10.mar",
        "minWorkers": classify.WORKERS,
        "maxWorkers": classify.WORKERS,
        "batchSize": classify.BATCH,
        "maxBatchDelay": max(1, classify.WAIT_MS),
        "responseTimeout": 60,
    }
    ports = {"inference": 0, "management": 1, "metrics": 2}
    lines = [f"{name}_address=http://127.0.0.1:{classify.PORT + offset}" for name, offset in ports.items()]
    lines += [f"model_store={store}", "load_models=cifar10.mar", "disable_token_authorization=true"]
    lines += ["job_queue_size=2048", "disable_system_metrics=true", "enable_envvars_config=false"]
    lines += [f"models={json.dumps({'cifar10': {'1.0': model}})}"]
    (folder / "log4j2.xml").write_text(_LOGGING)
    lines += [f"vmargs=-Dlog4j.configurationFile=file://{folder}/log4j2.xml"]
    configuration = folder / "config.properties"
    configuration.write_text("\n".join(lines))
    return configuration


if __name__ == "__main__":
    configuration = _lay_out(Path(tempfile.mkdtemp(prefix="bench-torchserve-")))
    binaries = Path(sys.executable).parent
    os.environ["PATH"] = os.pathsep.join((str(binaries), os.environ["PATH"]))
    os.environ["PYTHONPATH"] = str(Path.cwd())
    os.environ["LOG_LOCATION"] = os.environ["METRICS_LOCATION"] = str(configuration.parent)
    command = [str(binaries / "torchserve"), "--start", "--foreground", "--ncs", "--disable-token-auth"]
    os.execv(command[0], [*command, "--ts-config", str(configuration)])
