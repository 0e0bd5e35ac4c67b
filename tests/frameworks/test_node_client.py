"""The JavaScript client of Hugging Face's inference API, under Node.

``make import-test`` installs it; NODE_CLIENTS names the folder.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.process import SAMPLES, ServerProcess

CLIENTS = os.environ.get("NODE_CLIENTS", "")

pytestmark = pytest.mark.skipif(not CLIENTS, reason="make import-test runs it, where there is Node")


def test_the_javascript_client_classifies(tmp_path: Path) -> None:
    script = Path(__file__).with_name("hugging_face_client.mjs")
    with ServerProcess(tmp_path / "log", "--dialects", "huggingface") as server:
        picture = SAMPLES / "cifar10_cat_0.png"
        command = ["node", str(script), str(Path(CLIENTS).resolve()), server.url, str(picture)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer, same, refused = json.loads(done.stdout)
    assert [found["label"] for found in answer] == ["cat", "dog", "frog", "automobile", "ship"]
    assert same == answer
    assert "no model 'nothing' is served; served: cifar10, mnist" in refused
