"""Model files are checked in a child process: the fault of a file is reported, and this process is not affected."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from service.errors import ModelLoadFailedError, ModelRefusedError
from service.inference import GpuPolicy, KnownModels, LoadLimits, ModelRepository, Provider
from service.inference.known_models import PASSED, Outcome
from tests.fixtures.tiny_models import HOSTILE, MALFORMED, hostile_model, put, tiny_model

pytestmark = pytest.mark.slow

LIMITS = LoadLimits(timeout_s=60, memory_bytes=1 << 30)


def repository(
    root: Path, known: KnownModels | None, limits: LoadLimits = LIMITS, max_batch_size: int = 32
) -> ModelRepository:
    gpu = GpuPolicy(memory_limit_bytes=1 << 30, cuda_graphs=True)
    provider = Provider("cpu")
    return ModelRepository(
        root,
        provider=provider,
        intra_op_threads=1,
        max_batch_size=max_batch_size,
        gpu=gpu,
        limits=limits,
        known=known,
    )


@pytest.mark.parametrize("kind", [*HOSTILE, *list(MALFORMED)[:2]])
def test_whatever_a_new_file_does_is_said_and_ends_nothing(kind: str, tmp_path: Path) -> None:
    put(tmp_path / "models", kind, "1", hostile_model(kind))
    limits = LoadLimits(timeout_s=1, memory_bytes=1 << 30) if kind.startswith("endless") else LIMITS
    before, children = psutil.Process().memory_info().rss, psutil.Process().children()
    with pytest.raises(ModelRefusedError) as refusal:
        repository(tmp_path / "models", KnownModels(tmp_path / "known"), limits).load(kind, "1")
    said = HOSTILE[kind][1] if kind in HOSTILE else "metadata field reference"
    assert str(refusal.value).startswith(f"{kind}/1/model.onnx: ")
    assert said in str(refusal.value)
    assert isinstance(refusal.value, ModelLoadFailedError) == kind.startswith("endless")
    assert psutil.Process().memory_info().rss - before < 20e6
    assert psutil.Process().children() == children


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if not kind.startswith("endless")])
def test_without_a_trial_the_same_is_found_here(kind: str, tmp_path: Path) -> None:
    put(tmp_path, kind, "1", hostile_model(kind))
    if kind == "fifty-gigabytes" and psutil.virtual_memory().total > 100e9:
        pytest.skip("this machine has the memory")
    with pytest.raises(ModelRefusedError):
        repository(tmp_path, None).load(kind, "1")


def test_a_file_that_has_passed_is_not_tried_again(tmp_path: Path) -> None:
    put(tmp_path / "models", "tiny", "1", tiny_model())
    repository(tmp_path / "models", KnownModels(tmp_path / "known")).load("tiny", "1")
    assert (tmp_path / "known").stat().st_mode & 0o777 == 0o700
    (outcome,) = (tmp_path / "known").iterdir()
    no_time = LoadLimits(timeout_s=1e-3, memory_bytes=LIMITS.memory_bytes)
    known = repository(tmp_path / "models", KnownModels(tmp_path / "known"), no_time)
    assert known.load("tiny", "1").session.max_batch_size == 32
    # Another batch size needs another trial.
    larger = repository(tmp_path / "models", KnownModels(tmp_path / "known"), no_time, max_batch_size=33)
    with pytest.raises(ModelLoadFailedError, match=r"did not end within 0\.001 s"):
        larger.load("tiny", "1")
    outcome.write_text("")
    with pytest.raises(ModelLoadFailedError, match="did not end"):
        repository(tmp_path / "models", KnownModels(tmp_path / "known"), no_time).load("tiny", "1")


@pytest.mark.parametrize("kind", ["open to others", "a file", "none"])
def test_without_a_folder_of_known_files_each_is_tried(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "known"
    if kind == "a file":
        folder.write_text("")
        folder = folder / "below"
    elif kind == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    known = KnownModels(None if kind == "none" else folder)
    put(tmp_path / "models", "tiny", "1", tiny_model())
    put(tmp_path / "models", "bad-reshape", "1", hostile_model("bad-reshape"))
    tried = repository(tmp_path / "models", known)
    assert tried.load("tiny", "1").metadata.name == "tiny"
    with pytest.raises(ModelRefusedError, match="cannot run it"):
        tried.load("bad-reshape", "1")
    assert kind != "open to others" or not list(folder.iterdir())


def test_a_file_that_was_refused_is_not_tried_again_until_it_changes(tmp_path: Path) -> None:
    path = put(tmp_path / "models", "tiny", "1", hostile_model("bad-reshape", "tiny"))
    files = repository(tmp_path / "models", KnownModels(tmp_path / "known"))
    said = []
    for _ in range(2):
        with pytest.raises(ModelRefusedError) as refusal:
            files.load("tiny", "1")
        said.append(str(refusal.value))
    assert said[0] == said[1]
    path.write_bytes(tiny_model())
    assert files.load("tiny", "1").metadata.name == "tiny"


def test_a_refused_file_that_was_removed_is_forgotten(tmp_path: Path) -> None:
    path = put(tmp_path / "models", "tiny", "1", b"damaged")
    files = repository(tmp_path / "models", KnownModels(tmp_path / "known"))
    with pytest.raises(ModelRefusedError):
        files.load("tiny", "1")
    files.survey()
    assert list(files._refused) == [("tiny", "1")]
    path.unlink()
    files.survey()
    assert not files._refused


@pytest.mark.parametrize("outcome", [PASSED, Outcome("it is bad"), Outcome("it took long", may_pass=True)])
def test_while_one_process_tries_a_file_the_others_wait_for_its_outcome(outcome: Outcome, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    outcomes: list[Outcome] = []

    def try_slowly() -> Outcome:
        begun.set()
        go_on.wait(10)
        return outcome

    def never() -> Outcome:
        raise AssertionError("it was tried twice")

    # Each has its own file descriptor and so its own lock, like separate processes.
    first = threading.Thread(target=lambda: outcomes.append(KnownModels(tmp_path).outcome("a", "x", try_slowly)))
    second = threading.Thread(target=lambda: outcomes.append(KnownModels(tmp_path).outcome("a", "x", never)))
    first.start()
    assert begun.wait(10)
    second.start()
    second.join(0.1)
    assert second.is_alive()
    go_on.set()
    first.join(10)
    second.join(10)
    assert outcomes == [outcome, outcome]


def test_without_locks_a_file_is_tried_and_its_outcome_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))  # as some network file systems do

    monkeypatch.setattr("fcntl.flock", refuse)
    assert KnownModels(tmp_path).outcome("a", "x", lambda: PASSED) == PASSED
    assert "a" in KnownModels(tmp_path)


def test_the_child_ends_with_the_process_that_waits_for_it(tmp_path: Path) -> None:
    put(tmp_path / "models", "endless-run", "1", hostile_model("endless-run"))
    script = f"""
from pathlib import Path
from tests.inference.test_trial import repository
from service.inference import KnownModels
repository(Path({str(tmp_path / "models")!r}), KnownModels(Path({str(tmp_path / "known")!r}))).load("endless-run", "1")
"""
    parent = subprocess.Popen([sys.executable, "-c", script])
    process = psutil.Process(parent.pid)
    while not (children := process.children()):
        psutil.wait_procs([process], timeout=0.01)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
