"""The served model gives the same probabilities for picture files as transformers and timm.

Needs the output of ``make import-test``: IMPORT_SOURCES names the folder of :mod:`tests.frameworks.make_sources`.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from contract import ModelMetadata
from imaging import Target, read
from training.cli import main
from training.onnx_classifier import OnnxClassifier

SOURCES = Path(os.environ.get("IMPORT_SOURCES", ""))

pytestmark = pytest.mark.skipif("IMPORT_SOURCES" not in os.environ, reason="make import-test makes the sources")


@pytest.mark.parametrize("name", ["vit", "resnet", "timm"])
def test_a_folder_is_served_with_the_frameworks_answers(name: str, tmp_path: Path) -> None:
    assert main(["import", str(SOURCES / name), "--name", name, "--out", str(tmp_path)]) == 0
    classifier = OnnxClassifier.open(tmp_path / name / "1" / "model.onnx")
    said: ModelMetadata = classifier.metadata
    wanted = np.array(json.loads((SOURCES / "answers.json").read_text())[name])
    files = sorted((SOURCES / "pictures").iterdir())
    answered = classifier.predict(np.stack([read(path.read_bytes(), Target.of(said)) for path in files]))
    assert said.labels == tuple(f"leaf {index}" for index in range(5))
    assert np.abs(answered - wanted).max() < 1e-4
