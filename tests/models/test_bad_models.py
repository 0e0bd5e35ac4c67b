"""A bad model does not affect the others: at start, in the watch, and when a request loads it."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from service.errors import ModelNotFoundError
from service.inference import KnownModels, LoadLimits, ModelFile
from tests.fixtures.keys import bearer, write_keys
from tests.fixtures.models import copy_models
from tests.fixtures.tiny_models import hostile_model, put, tiny_model
from tests.inference.test_trial import repository
from tests.models.loading import make_loader
from tests.process import ROOT, ServerProcess
from tests.waiting import until

pytestmark = pytest.mark.slow

GOOD = {("mnist", "1"), ("tiny", "1"), ("cranes", "1")}
INDEX = "/v2/repository/index"
KINDS = ("reference-cut-off", "evaluation-a-text", "commit-a-number", "bad-reshape", "fifty-gigabytes")


def reasons(http: httpx.Client) -> dict[tuple[str, str], str]:
    """The reason why each version does not answer, by name and version; empty where it does."""
    return {(entry["name"], entry["version"]): entry["reason"] for entry in http.post(INDEX).json()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of three good models and of models with every kind of fault."""
    root = copy_models(tmp_path_factory.mktemp("bad"), "mnist")
    for kind in KINDS:
        put(root, kind, "1", hostile_model(kind))
    put(root, "tiny", "1", tiny_model())
    two_cranes = {"labels": '["crane", "crane"]', "class_ids": '["n02012849", "n03126707"]'}
    put(root, "cranes", "1", tiny_model("cranes", props=two_cranes))
    put(root, "UPPER", "1", tiny_model())
    put(root, os.fsdecode(b"caf\xe9"), "1", tiny_model())
    put(root, "tiny", "01", tiny_model())
    for version, make in (
        ("2", Path.mkdir),
        ("3", os.mkfifo),
        ("4", lambda path: path.symlink_to("/dev/zero")),
        ("5", lambda path: path.symlink_to(path)),
    ):
        path = root / "tiny" / version / "model.onnx"
        path.parent.mkdir()
        make(path)
    return root


@pytest.fixture(scope="module")
def http(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    scratch = tmp_path_factory.mktemp("scratch")
    flags, keys = write_keys(scratch, all=("predict", "control", "metrics"))
    flags += ["--models-dir", str(folder), "--model-control", "true", "--watch-interval-s", "0.1"]
    flags += ["--model-memory-limit-bytes", str(1 << 30)]
    with (
        ServerProcess(scratch / "log", *flags) as process,
        httpx.Client(base_url=process.url, timeout=30, headers=bearer(keys["all"])) as client,
    ):
        client.headers["X-Log"] = str(scratch / "log")
        yield client


def test_the_good_ones_serve_and_each_bad_one_is_named(http: httpx.Client, samples: dict[str, list[Path]]) -> None:
    why = reasons(http)
    assert {key for key, reason in why.items() if not reason} == GOOD
    for kind in KINDS:
        assert why[kind, "1"].startswith(f"{kind}/1/model.onnx: ")
    assert "cannot be a model's name" in why["UPPER", "1"]
    assert "cannot be a model's name" in why[r"caf\xe9", "1"]
    assert "cannot be a version" in why["tiny", "01"]
    assert all("not a regular file" in why["tiny", version] for version in ("2", "3", "4"))
    log = Path(http.headers["X-Log"]).read_text()
    assert all(f"refused: {kind}/1/model.onnx" in log for kind in KINDS)
    assert "Traceback" not in log
    assert [model["name"] for model in http.get("/models").json()["models"]] == ["cranes", "mnist", "tiny"]
    png = {"Content-Type": "image/png"}
    answer = http.post("/models/mnist/predict", content=samples["mnist"][0].read_bytes(), headers=png)
    assert answer.json()["predictions"][0]["label"] == "0"
    assert http.get("/health/ready").status_code == 200


def test_equal_labels_are_told_apart_everywhere(http: httpx.Client, cat: bytes) -> None:
    names = ["crane (n02012849)", "crane (n03126707)"]
    assert http.get("/models/cranes").json()["versions"][0]["labels"] == names
    answer = http.post("/models/cranes/predict", content=cat, headers={"Content-Type": "image/png"})
    (prediction,) = answer.json()["predictions"]
    assert list(prediction["probabilities"]) == names
    assert prediction["label"] in names
    assert f'convoy_predicted_images_total{{label="{prediction["label"]}",model="cranes"' in http.get("/metrics").text


def test_what_was_not_measured_is_said_to_be_so(http: httpx.Client) -> None:
    (version,) = http.get("/models/tiny").json()["versions"]
    assert (version["accuracy"], version["expected_calibration_error"], version["test_images"]) == (None, None, None)
    page = http.get("/metrics").text
    assert 'convoy_model_measured{model="tiny",version="1",what="accuracy"} 0.0' in page
    assert 'convoy_model_measured{model="mnist",version="1",what="accuracy"} 1.0' in page
    assert 'convoy_reference_share{label="circle",model="tiny"' not in page


def test_a_request_that_loads_one_is_told_why_not(http: httpx.Client) -> None:
    for name in ("commit-a-number", "bad-reshape", "UPPER"):
        answer = http.post(f"/v2/repository/models/{name}/load")
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(f"{name}/1/model.onnx: ")
    assert http.post("/v2/repository/models/mnist/load").status_code == 200


def test_the_watch_goes_on_after_one(http: httpx.Client, folder: Path) -> None:
    path = put(folder, "late", "1", hostile_model("labels-nested", "late"))
    until(lambda: "labels" in reasons(http).get(("late", "1"), ""))
    path.write_bytes(tiny_model("late"))
    until(lambda: http.get("/v2/models/late/ready").status_code == 200)


def test_a_load_that_does_not_end_keeps_no_other_and_no_signal_waiting(tmp_path: Path) -> None:
    models = tmp_path / "models"
    put(models, "tiny", "1", tiny_model())
    flags = ("--models-dir", str(models), "--watch-interval-s", "0.05", "--model-load-timeout-s", "600")
    with ServerProcess(tmp_path / "log", *flags) as process, httpx.Client(base_url=process.url) as http:
        put(models, "endless-run", "1", hostile_model("endless-run"))
        until(lambda: bool(psutil.Process(process.process.pid).children()))
        put(models, "late", "1", tiny_model("late"))
        until(lambda: http.get("/v2/models/late/ready").status_code == 200)
        children = psutil.Process(process.process.pid).children()
        assert children
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 5
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


def test_a_load_that_does_not_end_in_this_process_is_given_up(tmp_path: Path) -> None:
    """Without a child process, the thread of the load is abandoned, and other models load."""
    put(tmp_path, "endless-run", "1", hostile_model("endless-run"))
    put(tmp_path, "tiny", "1", tiny_model())
    script = f"""
import asyncio, os
from pathlib import Path
from service.inference import LoadLimits
from tests.inference.test_trial import repository
from tests.models.loading import make_loader

async def main():
    loader, catalog = make_loader(repository(Path({str(tmp_path)!r}), None, LoadLimits(1.0, 1 << 30)))
    await loader.load_all()
    for entry in await loader.index():
        print(entry.name, entry.ready, entry.reason, flush=True)
    os._exit(0)

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True, timeout=30
    )
    assert "endless-run False endless-run/1: loading it did not end within 1 s" in ended.stdout
    assert "tiny True" in ended.stdout


@pytest.mark.parametrize("default_name", [None, "endless-run"])
async def test_a_start_does_not_wait_long_for_one_of_several(default_name: str | None, tmp_path: Path) -> None:
    put(tmp_path / "models", "endless-run", "1", hostile_model("endless-run"))
    put(tmp_path / "models", "tiny", "1", tiny_model())
    limits = LoadLimits(timeout_s=2, memory_bytes=1 << 30)
    files = repository(tmp_path / "models", KnownModels(tmp_path / "known"), limits)
    loader, catalog = make_loader(files, default_name, start_patience_s=0.5)
    if default_name is None:
        await loader.load_all()
        assert catalog.find("tiny").engine is not None
        assert [entry.reason for entry in await loader.index()] == ["being loaded", ""]
        assert not loader.may_pass(("endless-run", "1"))
        await asyncio.wait(loader._pending._tasks.values())
    else:
        with pytest.raises(ModelNotFoundError, match="default_model is 'endless-run', but"):
            await loader.load_all()
    assert ["did not end within 2 s" in entry.reason for entry in await loader.index()] == [True, False]
    await loader.close()


async def test_what_is_refused_is_not_kept_in_memory(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    put(tmp_path, "tiny", "2", b"no model")
    put(tmp_path, "bad-reshape", "1", hostile_model("bad-reshape"))
    loader, _ = make_loader(repository(tmp_path, None))
    await loader.load_all()
    assert [entry.ready for entry in await loader.index()] == [False, True, False]
    for thread in threading.enumerate():
        if thread.name.startswith("load-"):
            thread.join(10)
    gc.collect()
    kept = [thing for thing in gc.get_objects() if isinstance(thing, ModelFile)]
    assert not [file.origin for file in kept]
    await loader.close()


def test_a_signal_ends_a_start_that_does_not_end(tmp_path: Path) -> None:
    put(tmp_path / "models", "endless-load", "1", hostile_model("endless-load"))
    command = [sys.executable, "-m", "service", "--port", "0", "--models-dir", str(tmp_path / "models")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: bool(psutil.Process(process.pid).children()))
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
        finally:
            process.kill()
