import keras
import pytest

from training.describe import describe, layer_facts
from training.errors import RecipeError


def test_cifar10_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {row.name: row for row in describe("cifar10")}
    assert facts["conv1"].volume == (32, 32, 16)
    assert facts["conv1"].parameters == 3 * 3 * 3 * 16 + 16
    assert facts["conv1"].multiply_adds == 32 * 32 * 16 * 27
    assert facts["pool3"].volume == (4, 4, 64)
    # 3, then +1, +2*2, +2, +4*2, +4 as strides multiply.
    assert [facts[name].receptive_field for name in ("conv1", "pool1", "conv2", "pool2", "conv3", "pool3")] == [
        3, 4, 8, 10, 18, 22,
    ]  # fmt: skip
    assert sum(row.parameters for row in facts.values()) == 541_094
    printed = capsys.readouterr().out
    assert "541,094" in printed
    assert "W2 = (W1 - F + 2P) / S + 1" in printed


def test_mnist_by_hand() -> None:
    facts = {row.name: row for row in describe("mnist")}
    assert facts["conv1"].volume == (24, 24, 32)
    assert facts["pool2"].volume == (6, 6, 64)
    assert facts["dense1"].parameters == 6 * 6 * 64 * 256 + 256
    assert sum(row.parameters for row in facts.values()) == 611_978


def test_a_volume_that_keras_sees_otherwise_is_an_error() -> None:
    # An even kernel with "same" pads one side only, which the formula's P cannot say.
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 2, padding="same", name="even")])
    with pytest.raises(RecipeError, match=r"layer 'even': computed \(7, 7, 4\) .* but Keras has \(8, 8, 4\)"):
        layer_facts(network)
