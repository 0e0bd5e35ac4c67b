"""``convoy score`` as a user runs it: tables, errors, resuming, and the same answers as over HTTP."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
import orjson
import pyarrow.parquet
import pytest
from PIL import Image

from imaging import Limits
from service.errors import ModelNotFoundError, ScoringError
from service.inference import GpuPolicy, Provider
from service.scoring.command import _find_model, main
from service.scoring.formats import CsvFormat
from service.scoring.parts import Parts
from service.scoring.worker import WorkerSpec, score_chunk
from tests.fixtures.tiny_models import put, tiny_metadata, tiny_model
from tests.process import ROOT, SAMPLES, ServerProcess
from training.data import learnt_pictures

pytestmark = pytest.mark.slow

CIFAR10 = sorted(SAMPLES.glob("cifar10_*.png"))


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "convoy", "score", *map(str, arguments)]


def score(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples of CIFAR-10 in a folder for each label, a large JPEG, and two files that are no pictures."""
    root = tmp_path_factory.mktemp("photos")
    for path in CIFAR10:
        (root / path.name.split("_")[1]).mkdir(exist_ok=True)
        (root / path.name.split("_")[1] / path.name).write_bytes(path.read_bytes())
    with Image.open(CIFAR10[0]) as picture:
        picture.convert("RGB").resize((640, 480)).save(root / "airplane" / "large.jpg")
    (root / "cat" / "a_damaged.png").write_bytes(CIFAR10[0].read_bytes()[:100])
    (root / "cat" / "b_empty.png").write_bytes(b"")
    return root


def test_the_answers_are_those_of_the_service(folder: Path, tmp_path: Path) -> None:
    answer = score(folder, "--model", "cifar10", "--out", tmp_path / "p.csv", "--output", "all")
    assert answer.returncode == 3, answer.stderr
    rows = rows_of(tmp_path / "p.csv")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and "cat/" not in f"{path}")
    assert [row["file"] for row in rows if "cat/" not in row["file"]] == [
        str(path.relative_to(folder)) for path in paths
    ]
    errors = rows_of(tmp_path / "p.errors.csv")
    assert [row["file"] for row in errors] == ["cat/a_damaged.png", "cat/b_empty.png"]
    assert all(row["error"] for row in errors)
    with ServerProcess(tmp_path / "log") as server:
        files = [("file", (row["file"], (folder / row["file"]).read_bytes())) for row in rows]
        document = httpx.post(f"{server.url}/predict", files=files).raise_for_status().json()
    for row, prediction in zip(rows, document["predictions"], strict=True):
        assert (row["file"], row["label"]) == (prediction["file"], prediction["label"])
        for label, probability in prediction["probabilities"].items():
            assert abs(float(row[f"p_{label}"]) - probability) <= 1e-6


def test_the_formats_hold_the_same(folder: Path, tmp_path: Path) -> None:
    for name in ("p.csv", "p.jsonl", "p.parquet"):
        answer = score(folder / "dog", "--model", "cifar10", "--out", tmp_path / name, "--topk", "2")
        assert answer.returncode == 0, answer.stderr
    rows = rows_of(tmp_path / "p.csv")
    assert list(rows[0]) == ["file", "label", "probability", "label_2", "probability_2"]
    lines = [orjson.loads(line) for line in (tmp_path / "p.jsonl").read_bytes().splitlines()]
    assert [{name: str(value) for name, value in line.items()}["label"] for line in lines] == [
        row["label"] for row in rows
    ]
    table = pyarrow.parquet.read_table(tmp_path / "p.parquet")
    for name in ("probability", "probability_2"):
        numbers = np.array([row[name] for row in rows], np.float32)
        assert np.array_equal(numbers, np.array([line[name] for line in lines], np.float32))
        assert np.array_equal(numbers, table[name].to_numpy())


def test_folders_as_labels_give_accuracy_and_confusion(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    answer = score(folder, "--model", "cifar10", "--out", out, "--labels-from-folders", "--output", "label")
    rows = rows_of(out)
    right = sum(row["file"].startswith(f"{row['label']}/") for row in rows)
    assert f"accuracy {right / len(rows):.2%} ({right} of {len(rows)}; 95 % interval" in answer.stdout
    matrix = {row.pop("truth"): row for row in rows_of(tmp_path / "p.confusion.csv")}
    assert sum(int(matrix[label][label]) for label in matrix if label in matrix[label]) == right
    assert sum(int(count) for row in matrix.values() for count in row.values()) == len(rows)


def test_an_accuracy_that_may_count_learnt_pictures_says_so(tmp_path: Path) -> None:
    model = put(tmp_path / "models", "tiny", "1", tiny_model())
    model.with_name(learnt_pictures.FILE).write_text("{}")
    place = tmp_path / "pictures" / tiny_metadata().labels[0]
    place.mkdir(parents=True)
    shutil.copy(CIFAR10[0], place)
    where = ("--models-dir", tmp_path / "models", "--model", "tiny", "--out", tmp_path / "p.csv")
    answer = score(place.parent, *where, "--labels-from-folders")
    assert "pictures that tiny learnt from count too" in answer.stderr


def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    names = [str(CIFAR10[n % len(CIFAR10)]) for n in range(12_000)]
    listed, out = tmp_path / "list.txt", tmp_path / "p.csv"
    listed.write_text("\n".join(names))
    arguments = (listed, "--model", "cifar10", "--out", out)
    with subprocess.Popen(command(*arguments), cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True) as running:
        deadline = time.monotonic() + 60
        while not (tmp_path / "p.csv.parts" / "000000.json").exists():
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.005)
        os.killpg(running.pid, signal.SIGKILL)
    assert not out.exists()
    assert "go on with --resume" in score(*arguments).stderr
    other = score(listed, "--model", "mnist", "--out", out, "--resume")
    assert "was another one: model was cifar10 version 2" in other.stderr
    listed.write_text("\n".join(reversed(names)))
    assert "is not what it was" in score(*arguments, "--resume").stderr
    listed.write_text("\n".join(names))
    assert score(*arguments, "--resume").returncode == 0
    rows = rows_of(out)
    assert [row["file"] for row in rows] == names
    by_name = {row["file"]: row for row in rows[:20]}
    assert all(row == by_name[row["file"]] for row in rows)
    assert list(tmp_path.glob("*.parts")) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_told_to_stop_says_how_it_goes_on(tmp_path: Path, number: signal.Signals, status: int) -> None:
    out = tmp_path / "p.csv"
    # In the background of a shell the tests ignore SIGINT, and the processes that they start would inherit that.
    heard = ("env", "--default-signal=INT")
    with subprocess.Popen(
        [*heard, *command("-", "--model", "cifar10", "--out", out)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        deadline = time.monotonic() + 60
        while not (tmp_path / "p.csv.parts" / "run.json").exists():
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.005)
        os.killpg(running.pid, number)  # to the whole group, as a terminal and systemd do
        assert running.stderr is not None
        said = running.stderr.read()
        assert running.wait(30) == status
    assert f"{out}.parts has the finished part, and --resume continues from it" in said
    assert "Traceback" not in said


def test_a_run_that_is_told_to_stop_before_its_first_part_promises_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop() -> int:
        raise KeyboardInterrupt

    put(tmp_path, "tiny", "1", tiny_model())
    words = ["-", "--model", "tiny", "--models-dir", str(tmp_path), "--out", str(tmp_path / "p.csv")]
    heard = signal.getsignal(signal.SIGTERM)
    try:
        assert main(words, count_workers=stop) == 130
    finally:
        signal.signal(signal.SIGTERM, heard)
    assert "interrupted; there is nothing to resume" in capsys.readouterr().err
    assert not (tmp_path / "p.csv.parts").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "lion", "--out", "p.csv"), "has no such model; it has cifar10, mnist"),
        (("--model", "cifar10", "--version", "9", "--out", "p.csv"), "model cifar10 has 1, 2"),
        (("--model", "cifar10", "--out", "p.xlsx"), "ends in .csv, .jsonl or .parquet"),
        (("--model", "mnist", "--out", "p.csv", "--labels-from-folders"), "is no label of the model; labels are 0, 1"),
        (("--model", "mnist", "--out", "p.csv", "--topk", "none"), "'none' is not a whole number from 1 on"),
        (("--model", "mnist", "--out", "p.csv", "--errors", "p.csv"), "has to be another file than the table's"),
        (("--model", "mnist", "--out", f"p.{'a' * 300}.csv"), "File name too long"),
    ],
)
def test_wrong_use_is_said(folder: Path, tmp_path: Path, arguments: Sequence[str], said: str) -> None:
    placed = [str(tmp_path / word) if word.startswith("p.") else word for word in arguments]
    answer = score(folder, *placed)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_newest_version_that_is_refused_can_be_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    put(tmp_path, "tiny", "2", b"no model")
    answer = score(CIFAR10[0], "--models-dir", tmp_path, "--model", "tiny", "--out", tmp_path / "p.csv")
    assert answer.returncode == 2
    assert answer.stderr.endswith("; --version names another version\n")


def test_a_default_version_that_is_not_there_is_said_to_be_of_the_file(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    (tmp_path / "tiny" / "default_version").write_text("v3")
    with pytest.raises(ModelNotFoundError, match="file default_version of model tiny says 'v3'; the model has 1, and"):
        _find_model(tmp_path, "tiny", None)


def test_a_table_cannot_replace_a_folder(tmp_path: Path) -> None:
    (tmp_path / "p.csv").mkdir()
    answer = score(CIFAR10[0], "--model", "cifar10", "--out", tmp_path / "p.csv", "--overwrite")
    assert answer.returncode == 2
    assert f"--out {tmp_path / 'p.csv'} is a folder" in answer.stderr


@pytest.mark.parametrize("name", ["run.json", "000000.json"])
@pytest.mark.parametrize("content", ["", "[]", '{"input": 1}', "[" * 100_000])
def test_a_damaged_record_is_named(name: str, content: str, tmp_path: Path) -> None:
    folder, run = tmp_path / "p.csv.parts", {"input": "photos"}
    folder.mkdir()
    for part in ("run.json", "000000.csv", "000000.errors.csv", "000000.json"):
        (folder / part).write_text(json.dumps(run))
    (folder / name).write_text(content)
    with pytest.raises(ScoringError, match=r"is damaged; remove .*\.parts|was another one"):
        Parts(tmp_path / "p.csv", CsvFormat(), run, resume=True)


def test_a_model_that_is_replaced_during_a_run_does_not_score_the_rest(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    gpu = GpuPolicy(memory_limit_bytes=1 << 30, cuda_graphs=False)
    spec = WorkerSpec(tmp_path, "tiny", "1", Provider("cpu"), 2, Limits(1 << 20, 1 << 20), gpu, sha256="0" * 64)
    with pytest.raises(ScoringError, match="is not the one that the run began with"):
        score_chunk(spec, [])


def test_an_empty_folder_and_a_table_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert (
        "there are no pictures in it"
        in score(tmp_path / "empty", "--model", "mnist", "--out", tmp_path / "p.csv").stderr
    )
    (tmp_path / "there.csv").write_text("mine")
    answer = score(SAMPLES, "--model", "mnist", "--out", tmp_path / "there.csv")
    assert (answer.returncode, (tmp_path / "there.csv").read_text()) == (2, "mine")
    assert "--overwrite replaces it" in answer.stderr


def test_files_that_are_there_are_not_lost(folder: Path, tmp_path: Path) -> None:
    errors, table = tmp_path / "p.errors.csv", tmp_path / "p.csv"
    errors.write_text("mine")
    for options in ((), ("--overwrite",), ("--overwrite", "--errors", errors)):
        answer = score(folder, "--model", "mnist", "--out", table, *options)
        assert "no list of errors; --errors names another file" in answer.stderr
    table.write_text(f"file\n{CIFAR10[0]}\n/gone.png\n")
    for out, listed in ((table, tmp_path / "e.csv"), (tmp_path / "q.csv", table)):
        answer = score(table, "--model", "cifar10", "--out", out, "--errors", listed, "--overwrite")
        assert answer.returncode == 2
        assert "is the input, which would be lost" in answer.stderr
    assert (errors.read_text(), table.read_text()[:5]) == ("mine", "file\n")
    errors.write_text("file,error\r\n", newline="")
    answer = score(table, "--model", "cifar10", "--out", tmp_path / "q.csv", "--overwrite")
    gone = [{"file": "/gone.png", "error": "No such file or directory"}]
    assert (answer.returncode, rows_of(tmp_path / "q.errors.csv")) == (3, gone)
    assert errors.read_text() == "file,error\n"  # the list of another table
    answer = score(folder / "dog", "--model", "cifar10", "--out", tmp_path / "r.csv", "--errors", errors)
    assert answer.returncode == 0
    assert f"{errors}, the list of errors of an earlier run, will be replaced" in answer.stderr
    assert not errors.exists()


def test_a_list_that_is_the_standard_input_is_not_replaced(tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(f"{CIFAR10[0]}\n")
    with listed.open("rb") as file:
        arguments = command("-", "--model", "cifar10", "--out", listed, "--overwrite")
        answer = subprocess.run(
            arguments, cwd=ROOT, stdin=file, capture_output=True, text=True, check=False, timeout=60
        )
    assert (answer.returncode, listed.read_text()) == (2, f"{CIFAR10[0]}\n")
    assert "is the input, which would be lost" in answer.stderr
