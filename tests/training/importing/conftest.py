"""What tests of several kinds of import share."""

from pathlib import Path

import pytest

from bench.foreign_networks import write_labels


@pytest.fixture
def same_weights() -> None:
    """Networks that a test makes have the same weights in every run."""
    import keras  # noqa: PLC0415  a slow import that most tests of this folder do not need

    keras.utils.set_random_seed(5)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A file of the labels of the networks of :func:`bench.foreign_networks.write_network`."""
    return write_labels(tmp_path / "labels.txt")
