"""Describes the machine of a measurement, and samples its GPU's utilisation."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from bench.machine import describe_machine
from service.inference.runtime import onnxruntime

_QUERY = "utilization.gpu,memory.used"


def describe() -> dict[str, str]:
    """Hardware, driver and versions."""
    machine = describe_machine()
    return {
        "GPU": _smi("name,driver_version,memory.total") or "none",
        "CPU": f"{machine.cpu}, {machine.cores} cores that this process may use",
        "versions": f"Python {machine.python}, onnxruntime {onnxruntime.__version__}"
        f" (CUDA {onnxruntime.cuda_version or 'none'}), numpy {np.__version__}",
    }


@contextmanager
def watching() -> Iterator[dict[str, float]]:
    """Samples the first GPU four times a second; the dictionary is filled at the end, and stays empty without a GPU."""
    samples: list[tuple[float, float]] = []
    found: dict[str, float] = {}
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.25):
            if line := _smi(_QUERY, units=False):
                busy, memory = line.splitlines()[0].split(",")
                samples.append((float(busy), float(memory)))

    thread = threading.Thread(target=sample, daemon=True)
    if _smi("name"):
        thread.start()
    try:
        yield found
    finally:
        over.set()
        if thread.ident:
            thread.join()
        if samples:
            found["utilisation_percent"] = float(np.mean([busy for busy, _ in samples]))
            found["memory_mib"] = max(memory for _, memory in samples)


def _smi(query: str, *, units: bool = True) -> str:
    form = "csv,noheader" if units else "csv,noheader,nounits"
    try:
        return subprocess.check_output(
            ["nvidia-smi", f"--query-gpu={query}", f"--format={form}"], text=True, stderr=subprocess.DEVNULL
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
