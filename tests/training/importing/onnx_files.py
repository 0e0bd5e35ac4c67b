"""Imports ONNX files by the command line."""

from pathlib import Path

import onnxruntime

from contract import ModelMetadata
from training.cli import main
from training.onnx_classifier import OnnxClassifier

RULES = ("--preprocessing", "imagenet", "--resize", "shortest-edge:20", "--crop", "16")


def run_import(source: Path, tmp_path: Path, *words: str | Path) -> int:
    """Imports a file as the model ``birds`` with some words of the command line; returns the exit status."""
    return main(["import", str(source), "--name", "birds", "--out", str(tmp_path / "models"), *map(str, words)])


def imported(tmp_path: Path) -> tuple[onnxruntime.InferenceSession, ModelMetadata]:
    """The version of ``birds`` that was imported: its session and its metadata."""
    session = onnxruntime.InferenceSession(tmp_path / "models" / "birds" / "1" / "model.onnx")
    return session, ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)


def metadata_of(tmp_path: Path, *arguments: str | Path) -> ModelMetadata:
    """Imports a file or folder as the model ``beans``, which must succeed; returns its metadata."""
    assert main(["import", *map(str, arguments), "--name", "beans", "--out", str(tmp_path / "models")]) == 0
    return OnnxClassifier.open(tmp_path / "models" / "beans" / "1" / "model.onnx").metadata
