"""Keras files and SavedModels are imported with the answers that they have in Keras."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.training.importing.keras_files import KERAS_MARKS, digits, imported, run_import
from training.importing.keras_network import first_line

pytestmark = [*KERAS_MARKS, pytest.mark.usefixtures("same_weights")]


def with_rescaling() -> keras.Model:
    image = layers.Input((32, 32, 3))
    values = layers.Rescaling(1 / 127.5, offset=-1)(image)
    values = layers.Conv2D(6, 3, strides=2, activation="relu")(values)
    return keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(values)))


def unusual() -> keras.Model:
    """A network that tf2onnx alone cannot convert: a built Normalization, grouped convolutions, the exact GELU."""
    image = layers.Input((24, 24, 3))
    values = layers.Normalization(mean=[120.0, 110.0, 100.0], variance=[3000.0, 3100.0, 3200.0])(image)
    values = layers.Conv2D(12, 3, strides=2)(values)
    values = layers.Conv2D(12, 3, groups=12, padding="same")(values)
    values = layers.Activation("gelu")(values)
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(values)))


class Case(NamedTuple):
    """A network, the options of its import, and the divisor of its pixels."""

    make: Callable[[], keras.Model]
    classes: int
    words: tuple[str, ...]
    white: float


CASES = {
    "sequential": Case(digits, 10, ("--preprocessing", "unit"), 255),
    "functional with Rescaling and logits": Case(with_rescaling, 4, (), 1),
    "Normalization, groups, gelu": Case(unusual, 3, (), 1),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("form", ["model.keras", "model.h5", "saved_model"])
def test_its_answers_are_those_of_keras(form: str, case: Case, tmp_path: Path) -> None:
    network, words = case.make(), case.words
    if form == "saved_model":
        network.export(tmp_path / form, verbose=False)
        words = words or ("--preprocessing", "raw")
    else:
        network.save(tmp_path / form)
    assert run_import(tmp_path / form, tmp_path, case.classes, *words) == 0
    session, metadata = imported(tmp_path)
    images = np.random.default_rng(1).integers(0, 256, (5, *metadata.input_shape), np.uint8)
    wanted = network.predict(images.astype(np.float32) / case.white, verbose=0)
    if abs(wanted.sum(1) - 1).max() > 1e-3:
        wanted = keras.ops.softmax(wanted).numpy()
    assert np.abs(session.run(None, {"image": images})[0] - wanted).max() < 1e-4
    assert (metadata.fit, metadata.antialias, metadata.jpeg_decode) == ("stretch", False, "full")


def test_augmentation_that_counts_its_random_numbers_does_nothing(tmp_path: Path) -> None:
    image = layers.Input((16, 16, 3))
    values = layers.RandomGrayscale(1.0)(layers.RandomHue(0.5)(image), training=True)  # predict() ignores this
    values = layers.Conv2D(4, 3, strides=2)(layers.RandomSharpness(0.5)(values))
    network = keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(values)))
    network.save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "raw") == 0
    images = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), np.uint8)
    answers = imported(tmp_path)[0].run(None, {"image": images})[0]
    assert np.abs(answers - network.predict(images.astype(np.float32), verbose=0)).max() < 1e-5


def test_what_the_network_scales_itself_is_not_scaled_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_rescaling().save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 4, "--preprocessing", "unit") == 2
    assert "Rescaling" in capsys.readouterr().err
    assert run_import(tmp_path / "model.keras", tmp_path, 4, "--preprocessing", "signed") == 0
    assert "not applied twice" in capsys.readouterr().out
    assert "proven" in (imported(tmp_path)[1].preprocessing_proof or "")


def test_a_layer_that_scales_pixels_from_0_to_1_is_not_applied_in_addition(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
    keras.Sequential([layers.Input((16, 16, 3)), layers.Rescaling(2.0, offset=-1.0), *head]).save(tmp_path / "m.keras")
    assert run_import(tmp_path / "m.keras", tmp_path, 3, "--preprocessing", "signed") == 2
    assert "Say --preprocessing unit; or RULE,twice" in capsys.readouterr().err
    assert run_import(tmp_path / "m.keras", tmp_path, 3, "--preprocessing", "unit") == 0


@pytest.mark.parametrize("mode", ["caffe", "signed", "unit"])
def test_operations_that_scale_are_seen_as_layers_are(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`preprocess_input` in a functional model makes operations, which are not ordinary layers."""
    image = layers.Input((32, 32, 3))
    scaled = {
        "caffe": keras.applications.resnet.preprocess_input,
        "signed": keras.applications.mobilenet_v2.preprocess_input,
        "unit": lambda values: values / 255.0,
    }[mode](image)
    values = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(scaled))
    keras.Model(image, layers.Dense(3)(values)).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", mode) == 0
    assert "it is not applied twice" in capsys.readouterr().out
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "imagenet") == 2


def test_what_expects_values_to_one_is_not_taken_to_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = layers.Input((32, 32, 3))
    values = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image * 2.0 - 1.0))
    keras.Model(image, layers.Dense(3)(values)).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3) == 2
    assert "--preprocessing unit" in capsys.readouterr().err


def test_a_difference_of_branches_is_no_scaling(tmp_path: Path) -> None:
    image = layers.Input((16, 16, 3))
    values = layers.Subtract()([image, layers.AveragePooling2D(3, strides=1, padding="same")(image)])
    values = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(values))
    keras.Model(image, layers.Dense(3)(values)).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit") == 0


def test_a_stated_resize_is_that_of_keras(tmp_path: Path) -> None:
    digits().save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 10, "--preprocessing", "unit", "--resize", "cover") == 0
    metadata = imported(tmp_path)[1]
    assert (metadata.antialias, metadata.crop_rounding) == (False, "source-pixels")


def test_a_file_of_keras_2_may_state_one_group(tmp_path: Path) -> None:
    values = image = layers.Input((12, 12, 3))
    for layer in (layers.DepthwiseConv2D(3), layers.SeparableConv2D(4, 3), layers.Conv2DTranspose(4, 3)):
        values = layer(values)
    keras.Model(image, layers.Dense(3)(layers.Flatten()(values))).save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if "kernel_size" in layer["config"]:
                layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
    assert run_import(tmp_path / "model.h5", tmp_path, 3, "--preprocessing", "unit") == 0


def test_the_reason_stands_before_a_layers_configuration() -> None:
    error = ValueError(f"Could not be deserialized: {'x' * 400}\n\nException encountered: no such argument: 'axes'")
    assert first_line(error) == "no such argument: 'axes'"


def test_one_unit_and_a_grey_input_without_an_axis_for_channels(tmp_path: Path) -> None:
    network = keras.Sequential([layers.Input((28, 28)), layers.Flatten(), layers.Dense(1, activation="sigmoid")])
    network.save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 2, "--preprocessing", "unit") == 0
    session, metadata = imported(tmp_path)
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28, 1), np.uint8)
    second = network.predict(images[..., 0] / 255, verbose=0)
    assert np.abs(session.run(None, {"image": images})[0] - np.hstack([1 - second, second])).max() < 1e-4
    assert metadata.color_mode == "L"


def test_of_several_outputs_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = layers.Input((32, 32, 3))
    values = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    kinds, colors = layers.Dense(3, name="kind")(values), layers.Dense(2, name="color")(values)
    keras.Model(image, [kinds, colors]).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit") == 2
    assert "kind [None, 3], color [None, 2]" in capsys.readouterr().err
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit", "--output", "kind") == 0


def test_augmentation_layers_in_both_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = keras.Sequential([layers.Input((16, 16, 3)), layers.RandomFlip(), layers.Conv2D(4, 3), layers.Flatten()])
    network.add(layers.Dense(3))
    network.export(tmp_path / "sm", verbose=False)
    assert run_import(tmp_path / "sm", tmp_path, 3, "--preprocessing", "unit") == 2
    assert "import the .keras file" in capsys.readouterr().err
    network.save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit") == 0


@pytest.mark.parametrize(("policy", "code"), [("mixed_float16", 0), ("mixed_bfloat16", 2)])
def test_mixed_precision(policy: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = layers.Input((32, 32, 3))
    values = layers.Conv2D(4, 3, activation="celu", dtype=policy)(image)
    values = layers.Dense(3, dtype="float32")(layers.GlobalAveragePooling2D()(values))
    keras.Model(image, values).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit") == code
    assert ("policy float32" in capsys.readouterr().err) == (code != 0)


class OwnLoss(keras.losses.Loss):
    """A loss of the author's own, which a file names and does not hold."""

    def call(self, wanted: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        return keras.ops.mean(keras.ops.abs(wanted - given), -1)


@pytest.mark.parametrize("is_registered", [True, False], ids=["registered", "imported"])
def test_what_a_network_was_compiled_with_is_not_read(is_registered: bool, tmp_path: Path) -> None:
    loss = keras.saving.register_keras_serializable("own", "OwnLoss3")(OwnLoss) if is_registered else OwnLoss
    network = digits()
    network.compile("adam", loss())
    network.save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 10, "--preprocessing", "unit") == 0


@pytest.mark.parametrize("loss", ["mse", OwnLoss()], ids=["of Keras", "own"])
def test_what_a_network_inside_was_compiled_with_is_not_read(loss: object, tmp_path: Path) -> None:
    inner = digits()
    inner.compile("adam", loss)
    network = keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), inner])
    network.save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 10) == 0
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), dtype=np.uint8)
    answers = imported(tmp_path)[0].run(["probabilities"], {"image": images})[0]
    np.testing.assert_allclose(answers, network(images.astype(np.float32)), atol=1e-5)


@pytest.mark.parametrize(("saved", "name"), [("a.keras", "MODEL.KERAS"), ("a.h5", "b.keras"), ("a.keras", "b.h5")])
def test_the_content_of_a_file_tells_its_format(saved: str, name: str, tmp_path: Path) -> None:
    digits().save(tmp_path / saved)
    (tmp_path / saved).rename(tmp_path / name)
    assert run_import(tmp_path / name, tmp_path, 10, "--preprocessing", "unit") == 0


def test_a_saved_model_of_grey_pictures_without_an_axis_for_channels(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((28, 20)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    network.export(tmp_path / "sm", verbose=False)
    assert run_import(tmp_path / "sm", tmp_path, 3, "--preprocessing", "unit") == 0
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 20, 1), dtype=np.uint8)
    answers = imported(tmp_path)[0].run(["probabilities"], {"image": images})[0]
    np.testing.assert_allclose(answers, network(images[..., 0].astype(np.float32) / 255), atol=1e-5)


@pytest.mark.parametrize(("batch", "sides"), [(1, [8, 6, 3]), (3, [8, 6, 3]), (1, [8, 6])])
def test_a_saved_model_of_a_fixed_batch(batch: int, sides: list[int], tmp_path: Path) -> None:
    weights = tf.Variable(tf.random.normal([np.prod(sides), 4], seed=1))

    class OfOneSize(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([batch, *sides], tf.float32)])
        def __call__(self, image: tf.Tensor) -> tf.Tensor:
            return tf.nn.softmax(tf.matmul(tf.reshape(image, [batch, -1]), weights))

    network = OfOneSize()
    network.weights = weights
    tf.saved_model.save(network, str(tmp_path / "sm"), signatures={"serving_default": network.__call__})
    assert run_import(tmp_path / "sm", tmp_path, 4, "--preprocessing", "unit") == 0
    images = np.random.default_rng(0).integers(0, 256, (batch, *[*sides, 1][:3]), dtype=np.uint8)
    answers = imported(tmp_path)[0].run(["probabilities"], {"image": np.concatenate([images, images])})[0]
    values = images.reshape(batch, *sides).astype(np.float32) / 255
    np.testing.assert_allclose(answers, np.tile(network(values), (2, 1)), atol=1e-5)
