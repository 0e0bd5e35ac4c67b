import keras
import numpy as np
import pytest

from training.architectures import airbench_small_cnn, own_cnn
from training.precision import policy_for, under

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [
        ([], "float32"),  # a CPU
        ([(9, 0)], "mixed_float16"),  # H100
        ([(7, 0), (8, 6)], "mixed_float16"),
        ([(6, 1)], "float32"),  # no tensor cores
        ([(9, 0), (6, 1)], "float32"),
        ([None], "float32"),  # reports no capability
    ],
)
def test_the_devices_decide(capabilities: list[tuple[int, int] | None], policy: str) -> None:
    assert policy_for(capabilities) == policy


def test_a_policy_changes_how_is_computed_and_no_weights() -> None:
    network = own_cnn((16, 16, 3), 4)
    mixed = under("mixed_float16", network)
    for ours, theirs in zip(mixed.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == np.float32
    assert [layer.name for layer in mixed.layers] == [layer.name for layer in network.layers]
    assert mixed.get_layer("conv1").compute_dtype == "float16"
    assert mixed.layers[-1].compute_dtype == "float32"
    assert {layer.compute_dtype for layer in under("float32", mixed).layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_what_whitens_stays_exact() -> None:
    mixed = under("mixed_bfloat16", airbench_small_cnn((32, 32, 3), 10))
    in_float32 = {layer.name for layer in mixed.layers if layer.compute_dtype == "float32"}
    assert in_float32 == {"whitening", "centre", "rescale", "probabilities"}
    assert not mixed.get_layer("whitening").trainable
