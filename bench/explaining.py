"""The quality of explanations, and their cost for predictions at the same time: ``python -m bench.explaining``.

::

    deletion  the test of :mod:`bench.deletion` over 1,000 test images of each version of each model
    serving   predictions a second and their latency, with and without a client that always asks for explanations
"""

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

import httpx

from bench.deletion import Explained, report
from bench.first_images import first_test_images
from bench.folders import MODELS, SAMPLES
from bench.load import Load, drive
from bench.server_process import ServerProcess

_ROUNDS, _ROUND_S = 15, 1.0  # short alternating rounds, since other work on the machine changes
_PICTURE = SAMPLES / "cifar10_cat_0.png"


def main() -> None:
    """Runs the chosen part, or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("deletion", "serving"))
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--model", default="*/*", help="of the deletion test, as cifar10/2")
    chosen = parser.parse_args()
    if chosen.part != "serving":
        for path in sorted(MODELS.glob(f"{chosen.model}/model.onnx")):
            _deletion(path, chosen.images)
    if chosen.part != "deletion":
        with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder) / "log") as server:
            for explained in ("cifar10", "mnist"):
                for clients in (1, 16):
                    _serving(server, clients, explained)


def _deletion(path: Path, count: int) -> None:
    network = Explained(path)
    images = first_test_images(network.metadata.name)[:count]
    print(report(network, [network.falls(image, seed) for seed, image in enumerate(images)]), flush=True)


def _serving(server: ServerProcess, clients: int, explained: str) -> None:
    """Measures predictions of cifar10 beside explanations of a model."""
    shares: dict[bool, list[float]] = {False: [], True: []}  # predictions for each second of the service's CPU time
    rates: dict[bool, list[float]] = {False: [], True: []}
    tails: dict[bool, list[float]] = {False: [], True: []}
    waits_s: list[float] = []
    _drive(server, clients)
    for _ in range(_ROUNDS):
        for explains in (False, True):
            before_s = server.cpu_s()  # not the CPU time of Load, since the last explanation ends after the load
            load, found_s = _explaining(server, clients, explained) if explains else (_drive(server, clients), [])
            shares[explains].append(load.requests / (server.cpu_s() - before_s))
            rates[explains].append(load.requests_per_s)
            tails[explains].append(load.p99_ms)
            waits_s += found_s
    ratio, rate = (
        statistics.median(with_it / without for without, with_it in zip(each[False], each[True], strict=True))
        for each in (shares, rates)
    )
    print(
        f"{clients} clients: {statistics.median(rates[False]):.0f} predictions/s alone, "
        f"{statistics.median(rates[True]):.0f} beside explanations of {explained} ({rate:.1%}; {ratio:.1%} for each "
        f"second of the service's CPU time); p99 {statistics.median(tails[False]):.2f} and "
        f"{statistics.median(tails[True]):.2f} ms; an explanation takes {1e3 * statistics.median(waits_s):.0f} ms",
        flush=True,
    )


def _drive(server: ServerProcess, clients: int) -> Load:
    return drive(server, "/predict", [_PICTURE], {"Content-Type": "image/png"}, concurrency=clients, seconds=_ROUND_S)


def _explaining(server: ServerProcess, clients: int, explained: str) -> tuple[Load, list[float]]:
    """Drives predictions while one client asks for explanations one by one: (load, seconds of each explanation)."""
    picture, waits_s, stop = _PICTURE.read_bytes(), [], threading.Event()

    def explain() -> None:
        with httpx.Client(base_url=server.url, timeout=30) as http:
            while not stop.is_set():
                began = time.perf_counter()
                http.post("/explain", params={"model": explained}, content=picture).raise_for_status()
                waits_s.append(time.perf_counter() - began)

    thread = threading.Thread(target=explain)
    thread.start()
    try:
        return _drive(server, clients), waits_s
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
