"""The GPU benchmark, run on a CPU: one command measures, compares and writes verdicts."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_one_command_measures_everything_and_says_what_was_reached(tmp_path: Path) -> None:
    flags = ["--seconds", "0.2", "--images", "16", "--concurrency", "1", "4", "--max-batch-size", "4"]
    ended = subprocess.run(
        [sys.executable, "-m", "bench.gpu", "--provider", "cpu", *flags, "--out", str(tmp_path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert [row["batch_size"] for row in report["raw"]] == [1, 2, 4]
    assert report["parity"] == {
        "images": 1000,
        "largest_difference": pytest.approx(0, abs=1e-6),
        "same_class": 1.0,
        "accuracy": None,
        "accuracy_on_cpu": None,
    }
    for module in ("service", "bench.gpu.constant_service"):
        assert [(load["what"], load["concurrency"]) for load in report[module]] == [
            ("PNG", 1),
            ("PNG", 4),
            ("16 images", 2),
        ]
        assert all(load["errors"] == 0 and load["images_per_s"] > 0 for load in report[module])
    text = (tmp_path / "report.md").read_text()
    assert "| same class | >= 99.9% | 100.00% | yes |" in text


def test_a_gpu_that_is_not_there_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    if shutil.which("nvidia-smi") is not None:
        pytest.skip("there is a GPU")
    ended = subprocess.run(
        [sys.executable, "-m", "bench.gpu", "--out", str(tmp_path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "CUDA" in ended.stderr or "wrk" in ended.stderr
    assert not list(tmp_path.iterdir())
