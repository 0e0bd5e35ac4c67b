"""What tests of several kinds of import share."""

import pytest


@pytest.fixture
def same_weights() -> None:
    """Networks that a test makes have the same weights in every run."""
    import keras  # noqa: PLC0415  a slow import that most tests of this folder do not need

    keras.utils.set_random_seed(5)
