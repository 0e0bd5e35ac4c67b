"""Compares the service with mosec for large networks on photographs, each server on all cores.

::

    python -m bench.real_work                    MobileNetV2 from 12 megapixels, ResNet-50 from 640x480
    python -m bench.real_work --rounds 5 --rows resnet50-16
    python -m bench.real_work --alone            the service alone, as `make bench` does

The networks of keras.applications have random weights, which cost as much as trained ones; `convoy import` writes them
to ``build/bench/large``. Both servers decode with Pillow and libjpeg-turbo's reduced size, and resize in the same way.
The ratios of a round are to mosec's setting with the best median. The most probable labels of the answers are compared.
"""

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from PIL import Image

from bench.environments import environment_of
from bench.folders import REPORTS, ROOT, SCRATCH
from bench.interval import median_interval
from bench.load import drive, require_wrk
from bench.machine import commit, describe_machine
from bench.measured_process import MeasuredProcess
from bench.peers.catalog import PEERS, Setting
from bench.servers import CONVOY, Server, convoy, of_peer
from bench.workloads import make_photo

_FOLDER: Final = SCRATCH / "large"
_REPORT: Final = REPORTS / "real_work.json"
_SIDE: Final = 224
_WORKERS: Final = f"{CONVOY}, 2 workers"
_JPEG: Final = {"Content-Type": "image/jpeg"}
_SETTINGS: Final = {
    f"{workers} workers x {threads} threads, batch {size}": {
        "BENCH_WORKERS": str(workers),
        "BENCH_THREADS": str(threads),
        "BENCH_BATCH": str(size),
        "BENCH_WAIT_MS": "1",
    }
    for workers, threads, size in ((2, 1, 1), (2, 1, 4), (1, 2, 1))
}
_STAGES: Final = {
    "2 stages, 2 workers x 1 threads, batch 4": _SETTINGS["2 workers x 1 threads, batch 4"]
    | {"BENCH_VARIANT": "stages"}
}


@dataclass(frozen=True, slots=True)
class Work:
    """One network, and the photographs that it gets.

    Attributes:
        network: a name in keras.applications.
        preprocessing: of the network, as `convoy import` names it.
        size: width and height of the photographs, in pixels.
        concurrency: requests at once.
    """

    network: str
    preprocessing: str
    size: tuple[int, int]
    concurrency: int

    @property
    def model(self) -> str:
        """Its name in the repository."""
        return self.network.lower()


_ROWS: Final = {
    "mobilenetv2-1": Work("MobileNetV2", "signed", (4000, 3000), 1),
    "mobilenetv2-16": Work("MobileNetV2", "signed", (4000, 3000), 16),
    "resnet50-1": Work("ResNet50", "caffe", (640, 480), 1),
    "resnet50-16": Work("ResNet50", "caffe", (640, 480), 16),
}


def main(arguments: Sequence[str]) -> int:
    """Measures, prints a line for each row, and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rows", default=",".join(_ROWS))
    parser.add_argument("--alone", action="store_true", help="without mosec; no report is written")
    options = parser.parse_args(arguments)
    require_wrk()
    python = None if options.alone else environment_of(PEERS[0])
    report: dict[str, Any] = {
        "machine": asdict(describe_machine()),
        "commit": commit(),
        "command": " ".join(["python -m bench.real_work", *arguments]),
    }
    for name in options.rows.split(","):
        work = _ROWS[name]
        _make(work)
        bodies = _photographs(work)
        servers = {CONVOY: _convoy(work, 1), _WORKERS: _convoy(work, 2)}
        if python is not None:
            peers = [_mosec(work, python, setting) for setting in (*_SETTINGS, *_STAGES)]
            servers |= {peer.title: peer for peer in peers}
        measured: dict[str, list[dict[str, float]]] = {server: [] for server in servers}
        labels: dict[str, list[int]] = {}
        for number in range(options.rounds):
            order = list(servers)
            for server in order[number % len(order) :] + order[: number % len(order)]:
                found, labels[server] = _measure(servers[server], work, bodies, options.seconds)
                measured[server].append(found)
        if python is None:
            for server, rounds in measured.items():
                figures = {figure: median(one[figure] for one in rounds) for figure in rounds[0]}
                print(json.dumps({"row": name, "server": server} | figures), flush=True)
            continue
        compared = _compare(measured, labels)
        report[name] = {"work": asdict(work), "measured": measured} | compared
        print(json.dumps({"row": name} | compared), flush=True)
        _REPORT.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _make(work: Work) -> None:
    """Imports a network with random weights, unless it exists."""
    if (_FOLDER / "models" / work.model).exists():
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    source = _FOLDER / f"{work.model}.keras"
    code = (
        "import sys, keras\nkeras.utils.set_random_seed(0)\n"
        f"keras.applications.{work.network}(weights=None).save(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(source)], check=True, stderr=subprocess.DEVNULL)
    (_FOLDER / "labels.txt").write_text("".join(f"label {number}\n" for number in range(1000)))
    flags = ["--name", work.model, "--labels", str(_FOLDER / "labels.txt"), "--preprocessing", work.preprocessing]
    flags += ["--resize", "cover", "--antialias", "--jpeg-decode", "reduced", "--out", str(_FOLDER / "models")]
    subprocess.run([sys.executable, "-m", "convoy", "import", str(source), *flags], cwd=ROOT, check=True)


def _photographs(work: Work) -> tuple[Path, ...]:
    """Makes a few JPEGs of the wanted size, unless they exist; returns their paths."""
    made = []
    for seed in range(3):
        path = _FOLDER / f"{work.size[0]}-{seed}.jpg"
        if not path.exists():
            noise = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)
            photo = Image.open(io.BytesIO(make_photo(noise, seed))).resize(work.size, Image.Resampling.BICUBIC)
            photo.save(path, quality=90)
        made.append(path)
    return tuple(made)


def _convoy(work: Work, workers: int) -> Server:
    server, path = convoy(workers=workers), f"/models/{work.model}/predict"
    return replace(server, command=(*server.command, "--models-dir", str(_FOLDER / "models")), path=path)


def _mosec(work: Work, python: Path, setting: str) -> Server:
    variables = (_SETTINGS | _STAGES)[setting] | {"BENCH_SIDE": str(_SIDE)}
    model = _FOLDER / "models" / work.model / "1" / "model.onnx"
    return of_peer(PEERS[0], Setting(setting, variables), python, model)


def _measure(
    server: Server, work: Work, bodies: tuple[Path, ...], seconds: float
) -> tuple[dict[str, float], list[int]]:
    """One server under one load: its figures, and the most probable labels of the bodies."""
    path, cores = server.path, sorted(os.sched_getaffinity(0))
    with MeasuredProcess(server.command, server.variables, cores=cores, log=_FOLDER / "server.log") as process:
        process.wait_until_ready(path, bodies[0].read_bytes(), _JPEG)
        labels = [next(_indices(json.loads(process.post(path, body.read_bytes(), _JPEG)[2]))) for body in bodies]
        load = drive(process, path, bodies, _JPEG, concurrency=work.concurrency, seconds=seconds, warm_up_s=2.0)
        found = {
            "requests_per_s": load.requests_per_s,
            "p50_ms": load.p50_ms,
            "p99_ms": load.p99_ms,
            "cpu_ms": load.cpu_us / 1e3,
            "errors": float(load.errors),
        }
        return {name: round(value, 3) for name, value in found.items()}, labels


def _indices(document: Mapping[str, Any]) -> Iterator[int]:
    for prediction in document.get("predictions", [document]):
        yield prediction["top"][0]["index"]


def _compare(measured: dict[str, list[dict[str, float]]], labels: dict[str, list[int]]) -> dict[str, Any]:
    """Compares the service, with one worker and with two, with the peer's setting of the highest median rate."""
    peers = [server for server in measured if server not in {CONVOY, _WORKERS}]
    best = max(peers, key=lambda server: median(found["requests_per_s"] for found in measured[server]))
    compared: dict[str, Any] = {"best_peer": best, "same_labels": labels[CONVOY] == labels[_WORKERS] == labels[best]}
    for figure in ("requests_per_s", "p99_ms", "cpu_ms"):
        compared[figure] = {"peer": median(found[figure] for found in measured[best])}
        for ours in (CONVOY, _WORKERS):
            pairs = zip(measured[ours], measured[best], strict=True)
            ratios = [mine[figure] / theirs[figure] for mine, theirs in pairs]
            interval = median_interval(ratios)
            compared[figure][ours] = {
                "median": median(found[figure] for found in measured[ours]),
                "ratio": round(median(ratios), 3),
                "interval": None if interval is None else [round(bound, 3) for bound in interval],
            }
    return compared


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
