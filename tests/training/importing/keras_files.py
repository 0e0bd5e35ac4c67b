"""Imports Keras files and SavedModels by the command line, and a network to import."""

from pathlib import Path

import keras
import onnxruntime
import pytest
from keras import layers

from bench.foreign_networks import write_labels
from contract import ModelMetadata
from training.cli import main

KERAS_MARKS = [
    pytest.mark.slow,
    # Keras converts its variables in a way that is deprecated in numpy.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def run_import(source: Path, tmp_path: Path, classes: int, *words: str) -> int:
    """Imports a file with some words of the command line; returns the exit status."""
    labels = write_labels(tmp_path / "labels.txt", classes)
    out = str(tmp_path / "models")
    return main(["import", str(source), "--name", "own", "--labels", str(labels), "--out", out, *words])


def imported(tmp_path: Path) -> tuple[onnxruntime.InferenceSession, ModelMetadata]:
    """The version that was imported: its session and its metadata."""
    session = onnxruntime.InferenceSession(tmp_path / "models" / "own" / "1" / "model.onnx")
    return session, ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)


def digits() -> keras.Model:
    """A network of grey pictures of 28 x 28 pixels and ten classes."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
