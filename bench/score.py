"""Compares ``convoy score`` with processes that only read, decode and run, to measure the cost of everything else.

::

    python -m bench.score                       40,000 PNGs of 32x32, 8,000 JPEGs of 640x480, 800 of 12 megapixels
    python -m bench.score --rounds 5 --rows png

Both do the same work on the same cores: `imaging` and ONNX Runtime with one thread per process. Rounds alternate, and
each starts new processes. The time for starting them and loading the model is measured with one chunk of pictures per
process, and subtracted. `ratio` compares seconds; `processor_ratio` compares the processor time of all processes,
which other work on the machine changes less.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from PIL import Image

from bench.folders import MODELS, ROOT, SAMPLES
from bench.load import children_cpu_s
from bench.workloads import Network
from imaging import Target, read

_BATCH: Final = 32
_FIRST_CHUNK: Final = 8  # pictures that a process of `convoy score` gets first
_SIZES: Final = {"png": (32, 32, 40_000), "jpeg": (640, 480, 8_000), "12mp": (4000, 3000, 800)}
_MODEL: Final = MODELS / "cifar10" / "2" / "model.onnx"


def main(arguments: Sequence[str]) -> int:
    """Measures, and prints one JSON line for each kind of picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default=",".join(_SIZES))
    options = parser.parse_args(arguments)
    cores = len(os.sched_getaffinity(0))
    for row in options.rows.split(","):
        with tempfile.TemporaryDirectory() as folder:
            paths = make_pictures(Path(folder) / "pictures", row)
            few = paths[: _FIRST_CHUNK * cores]
            least = link_pictures(few, Path(folder) / "few")
            rates: dict[str, list[float]] = {"score": [], "alone": []}
            processor_s: dict[str, list[float]] = {"score": [], "alone": []}
            for _ in range(options.rounds):
                for name, run in (("score", _score), ("alone", _alone)):
                    begun_s = children_cpu_s()
                    started = run(least, cores)
                    started_s = children_cpu_s()
                    seconds = run(paths[0].parent, cores) - started
                    processor_s[name].append(children_cpu_s() - started_s - (started_s - begun_s))
                    rates[name].append((len(paths) - len(few)) / seconds)
            processor_ratios = [
                theirs / ours for ours, theirs in zip(processor_s["score"], processor_s["alone"], strict=True)
            ]
            ratios = [ours / theirs for ours, theirs in zip(rates["score"], rates["alone"], strict=True)]
            print(
                json.dumps(
                    {
                        "row": row,
                        "pictures": len(paths),
                        "processes": cores,
                        "a_second": {name: round(median(found)) for name, found in rates.items()},
                        "ratio": round(median(ratios), 3),
                        "ratios": [round(ratio, 3) for ratio in ratios],
                        "processor_ratio": round(median(processor_ratios), 3),
                    }
                ),
                flush=True,
            )
    return 0


def make_pictures(folder: Path, row: str, count: int | None = None) -> list[Path]:
    """Writes pictures of one kind into a new folder; ``count`` replaces the default number."""
    width, height, usual = _SIZES[row]
    count = count or usual
    folder.mkdir()
    samples = sorted(SAMPLES.glob("cifar10_*.png"))
    made = []
    for sample in samples:
        with Image.open(sample) as picture:
            large = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        path = folder / f"{sample.stem}.{'png' if row == 'png' else 'jpg'}"
        large.save(path, quality=90)
        made.append(path)
    while len(made) < count:
        copy = folder / f"{len(made):06}{made[0].suffix}"
        copy.hardlink_to(made[len(made) % len(samples)])
        made.append(copy)
    return made


def link_pictures(paths: Sequence[Path], folder: Path) -> Path:
    """Links pictures into a new folder, and returns the folder."""
    folder.mkdir()
    for path in paths:
        (folder / path.name).hardlink_to(path)
    return folder


def _score(folder: Path, _cores: int) -> float:
    return score_seconds(folder, folder.parent / f"{folder.name}.csv", "--model", "cifar10")


def score_seconds(folder: Path, out: Path, *options: str) -> float:
    """Seconds that ``convoy score`` takes for a folder, including its start."""
    command = [sys.executable, "-m", "convoy", "score", str(folder), "--out", str(out), "--overwrite", *options]
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - started


def _alone(folder: Path, cores: int) -> float:
    started = time.perf_counter()
    paths = sorted(map(str, folder.iterdir()))
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(paths[core::cores],)) for core in range(cores)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return time.perf_counter() - started


def _work(paths: list[str]) -> None:
    network = Network(_MODEL)
    target = Target.of(network.metadata)
    images = np.empty((_BATCH, *target.shape), np.uint8)
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        for place, path in enumerate(batch):
            images[place] = read(Path(path).read_bytes(), target)
        network.run(images[: len(batch)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
