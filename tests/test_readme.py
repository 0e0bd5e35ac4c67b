"""The README is correct: its commands run, and the service gives the answer that it shows."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.process import ROOT, ServerProcess

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def run(command: str, server: ServerProcess) -> str:
    words = [word.replace("http://127.0.0.1:8000", server.url) for word in shlex.split(command)]
    return subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_the_curl_command_gets_the_answer_that_is_shown(server: ServerProcess) -> None:
    place = next(index for index, (kind, text) in enumerate(BLOCKS) if kind == "sh" and text.startswith("curl"))
    command, shown = BLOCKS[place][1], json.loads(BLOCKS[place + 1][1])
    got = json.loads(run(command, server))
    for answer in (shown, got):
        for prediction in answer["predictions"]:
            for entry in (prediction, *prediction["top"]):
                entry["probability"] = pytest.approx(entry["probability"], abs=1e-3)
            prediction["probabilities"] = pytest.approx(prediction["probabilities"], abs=1e-3)
    assert {key: got[key] for key in ("model", "version")} == {key: shown[key] for key in ("model", "version")}
    assert got["predictions"][0]["label"] == shown["predictions"][0]["label"] == "cat"
    assert [entry["label"] for entry in got["predictions"][0]["top"]] == [
        entry["label"] for entry in shown["predictions"][0]["top"]
    ]
    assert got["predictions"][0]["probability"].expected == shown["predictions"][0]["probability"]
    assert got["predictions"][0]["probabilities"].expected == shown["predictions"][0]["probabilities"]


@pytest.mark.parametrize(("kind", "program"), [("python", (sys.executable, "-c")), ("js", ("node", "-e"))])
def test_the_snippets_print_what_is_in_the_picture(server: ServerProcess, kind: str, program: tuple[str, str]) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    text = next(text for found, text in BLOCKS if found == kind).replace("http://127.0.0.1:8000", server.url)
    done = subprocess.run([*program, text], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "cat"


def test_the_array_of_pixels_is_made_and_sent(server: ServerProcess) -> None:
    lines = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if "pixels.npy" in line]
    make, send = (line.replace(".venv/bin/python", sys.executable) for line in lines)
    try:
        run(make, server)
        assert len(json.loads(run(send, server))["predictions"]) == 4
    finally:
        (ROOT / "pixels.npy").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "command",
    [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line.startswith("curl -s -F")],
)
def test_the_other_commands_work(server: ServerProcess, command: str) -> None:
    predictions = json.loads(run(command, server))["predictions"]
    named = re.findall(r"(?:cifar10|mnist)_([a-z0-9]+)_\d\.png", command)
    assert [prediction["label"] for prediction in predictions] == named


def test_the_models_are_as_accurate_as_the_table_says() -> None:
    rows = re.findall(r"\| `?(\w+)`? \| [^|]+ \| (\d+)[^|]*\| ([\d.]+) % \| ([\d.]+) % \|", README)
    assert rows
    for name, version, accuracy, calibration_error in rows:
        test = json.loads((ROOT / "models" / name / version / "metrics.json").read_text())["test"]
        assert float(accuracy) == pytest.approx(100 * test["accuracy"], abs=0.005)
        assert float(calibration_error) == pytest.approx(100 * test["expected_calibration_error"], abs=0.005)


def test_every_folder_of_the_tree_is_there() -> None:
    tree = next(text for kind, text in re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL) if "contract/ " in text)
    folder = ""
    for line in tree.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = name if name.endswith("/") else ""
        assert (ROOT / (name if not line.startswith(" ") else folder + name)).exists(), name
