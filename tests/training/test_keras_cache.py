import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_what_cannot_be_downloaded_is_said(name: str, tmp_path: Path) -> None:
    """The cache is empty, and the network refuses every connection."""
    environment = os.environ | {
        "KERAS_HOME": str(tmp_path / "keras"),
        "https_proxy": "http://127.0.0.1:9",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "training", name]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "is not in the cache of keras.datasets and cannot be downloaded" in result.stderr
    assert "give its folder as --data-dir" in result.stderr
    assert "Traceback" not in result.stderr
