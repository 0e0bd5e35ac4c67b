"""Compares ``convoy score`` with transformers' ``pipeline``: same pictures, same ResNet-18, all cores.

::

    python -m venv other && other/bin/pip install torch transformers torchvision onnxscript
    python -m bench.score_beside --python other/bin/python
    python -m bench.score_beside --python other/bin/python --rounds 5 --rows png,jpeg,12mp

The network is made in the other environment and imported by ``convoy import``. Rounds alternate. The time for a few
pictures is subtracted, as in ``bench.score``: it is the start of Python and the loading of the model. ``pipeline`` has
batches of 32, and is measured without loader processes and with one per core; the better result counts.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench.folders import ROOT
from bench.score import link_pictures, make_pictures, score_seconds

_COUNTS: Final = {"png": 800, "jpeg": 800, "12mp": 100}
_FEW: Final = 32
_SCRIPT: Final = ROOT / "bench" / "peers" / "transformers_pipeline.py"


def main(arguments: Sequence[str]) -> int:
    """Measures, and prints one JSON line for each kind of picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="of an environment with torch and transformers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default=",".join(_COUNTS))
    parser.add_argument("--count", type=int, help="pictures of each kind")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(options.python, str(_SCRIPT), "make", str(folder / "resnet18"))
        models = folder / "models"
        models.mkdir()
        _run(sys.executable, "-m", "convoy", "import", str(folder / "resnet18"), "--name", "r18", "--out", models)
        for row in options.rows.split(","):
            paths = make_pictures(folder / row, row, options.count or _COUNTS[row])
            link_pictures(paths[:_FEW], folder / f"{row}-few")
            print(json.dumps(_measure(folder, row, options.python, options.rounds)), flush=True)
    return 0


def _measure(folder: Path, row: str, python: str, rounds: int) -> dict[str, object]:
    cores = len(os.sched_getaffinity(0))

    def ours(pictures: Path, out: Path) -> float:
        return score_seconds(pictures, out, "--model", "r18", "--models-dir", str(folder / "models"))

    def theirs(loaders: int) -> Callable[[Path, Path], float]:
        words = (python, str(_SCRIPT), "score", str(folder / "resnet18"))
        return lambda pictures, out: _run(*words, str(pictures), str(out), str(loaders))

    ways = {"convoy": ours, "pipeline": theirs(0), f"pipeline, {cores} loaders": theirs(cores)}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    count = sum(1 for _ in (folder / row).iterdir())
    for _ in range(rounds):
        for way, run in ways.items():
            start = run(folder / f"{row}-few", folder / "few.csv")
            seconds = run(folder / row, folder / f"{way}.csv") - start
            rates[way].append((count - _FEW) / seconds)
    best = [max(found) for found in zip(*(found for way, found in rates.items() if way != "convoy"), strict=True)]
    return {
        "row": row,
        "pictures": count,
        "cores": cores,
        "a_second": {way: round(median(found), 1) for way, found in rates.items()},
        "ratios": [round(one / other, 2) for one, other in zip(rates["convoy"], best, strict=True)],
        "same_labels": _agreement(folder / "convoy.csv", folder / "pipeline.csv"),
    }


def _agreement(one: Path, other: Path) -> float:
    """The share of pictures that get the same label."""
    tables = []
    for path in (one, other):
        with path.open(newline="") as file:
            tables.append({row["file"]: row["label"] for row in csv.DictReader(file)})
    first, second = tables
    return len(first.items() & second.items()) / len(second)


def _run(*command: str | Path) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
