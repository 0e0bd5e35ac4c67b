"""Whether explanations deserve belief, and what they cost those who predict: ``python -m bench.explaining``.

::

    deletion  the most important tenth of 1,000 test images is removed, a tenth of the same shape elsewhere, or single
              pixels at random: how far does the class fall?
    serving   predictions a second and their latency, with and without a client that always asks for explanations
"""

import argparse
import os
import statistics
import tempfile
import threading
from pathlib import Path

import httpx
import numpy as np
import psutil
from numpy.typing import NDArray

from bench.first_images import first_test_images
from bench.load import Load, drive
from bench.server_process import ROOT, SAMPLES, ServerProcess
from bench.workloads import Network, Pixels
from network.graph import read_graph
from service.explaining import occlusion
from service.explaining.hirescam import is_fine, linear_head, upscale

_ROUNDS, _ROUND_S = 5, 3.0
_PICTURE = SAMPLES / "cifar10_cat_0.png"


def main() -> None:
    """Measures both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("deletion", "serving"))
    parser.add_argument("--images", type=int, default=1000)
    chosen = parser.parse_args()
    if chosen.part != "serving":
        for path in sorted((ROOT / "models").glob("*/*/model.onnx")):
            _deletion(path, chosen.images)
    if chosen.part != "deletion":
        with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder) / "log") as server:
            for clients in (1, 16):
                _serving(server, clients)


def _deletion(path: Path, count: int) -> None:
    network, random = _Explained(path), np.random.default_rng(0)
    said = network.metadata
    on_black = said.polarity == "light-on-dark"
    falls: dict[str, list[float]] = {"map": [], "elsewhere": [], "random": []}
    for image in first_test_images(said.name)[:count]:
        before = network.run(image[np.newaxis])[0]
        column, pixels = int(before.argmax()), image.shape[0] * image.shape[1]
        mapped = network.map_of(image, column, float(before[column]), on_black=on_black)
        ground = 0 if on_black else image.mean(axis=(0, 1)).round().astype(np.uint8)
        moved = np.roll(mapped, random.integers(0, image.shape[:2]), (0, 1))
        orders = np.argsort(-mapped.ravel()), np.argsort(-moved.ravel()), random.permutation(pixels)
        for way, order in zip(falls, orders, strict=True):
            changed = image.reshape(pixels, -1).copy()
            changed[order[: pixels // 10]] = ground
            left = network.run(changed.reshape(1, *image.shape))[0, column]
            falls[way].append(float(before[column] - left))
    means = {way: np.mean(found) for way, found in falls.items()}
    further = {way: np.mean(np.array(falls["map"]) > np.array(found)) for way, found in falls.items()}
    print(
        f"{said.name}/{said.version}, {network.method}, {count} images: the probability falls by {means['map']:.3f} "
        f"without the most important tenth of the pixels, by {means['elsewhere']:.3f} without the same shape "
        f"elsewhere (further for {further['elsewhere']:.1%}), by {means['random']:.3f} without single pixels at random "
        f"(further for {further['random']:.1%})",
        flush=True,
    )


class _Explained(Network):
    """A network with the map that the service explains it by."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._head = linear_head(read_graph(path.read_bytes())) if is_fine(self.metadata.features) else None
        self.method = "occlusion" if self._head is None else "hirescam"

    def map_of(self, image: Pixels, column: int, before: float, *, on_black: bool) -> NDArray[np.float32]:
        """float32 [H, W]: what spoke for a class."""
        if self._head is not None:
            mirrored = self.features(image[np.newaxis, :, ::-1].copy())[0] if self._head.is_mirrored else None
            places = self._head.contributions(self.features(image[np.newaxis])[0], mirrored)
            return upscale(places[column], *image.shape[:2])
        after = self.run(occlusion.occluded(image, 0, occlusion.PATCHES, on_black=on_black))[:, column]
        return occlusion.to_map(occlusion.falls(before, after), *image.shape[:2])


def _serving(server: ServerProcess, clients: int) -> None:
    url, process = server.url, psutil.Process(server.process.pid)
    shares: dict[bool, list[float]] = {False: [], True: []}  # predictions for each second of the service's CPU time
    rates: dict[bool, list[float]] = {False: [], True: []}
    tails: dict[bool, list[float]] = {False: [], True: []}
    explained = 0
    _drive(url, clients)
    for _ in range(_ROUNDS):
        for explains in (False, True):
            before_s = sum(process.cpu_times()[:2])
            load, answers = _explaining(url, clients) if explains else (_drive(url, clients), 0)
            shares[explains].append(load.requests / (sum(process.cpu_times()[:2]) - before_s))
            rates[explains].append(load.requests / load.duration_s)
            tails[explains].append(load.p99_ms)
            explained += answers
    ratio = statistics.median(with_it / without for without, with_it in zip(shares[False], shares[True], strict=True))
    print(
        f"{clients} clients: {statistics.median(rates[False]):.0f} predictions/s alone, "
        f"{statistics.median(rates[True]):.0f} beside explanations ({explained} explained); "
        f"{ratio:.1%} of them for each second of the service's CPU time; "
        f"p99 {statistics.median(tails[False]):.2f} and {statistics.median(tails[True]):.2f} ms"
    )


def _drive(url: str, clients: int) -> Load:
    headers = {"Content-Type": "image/png"}
    cores = sorted(os.sched_getaffinity(0))
    return drive(f"{url}/predict", [_PICTURE], headers, concurrency=clients, seconds=_ROUND_S, cores=cores)


def _explaining(url: str, clients: int) -> tuple[Load, int]:
    """Drives predictions while one client asks for one explanation after the other."""
    picture, answers, stop = _PICTURE.read_bytes(), [], threading.Event()

    def explain() -> None:
        with httpx.Client(base_url=url, timeout=30) as http:
            while not stop.is_set():
                answers.append(http.post("/explain", content=picture).raise_for_status().status_code)

    thread = threading.Thread(target=explain)
    thread.start()
    try:
        return _drive(url, clients), len(answers)
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
