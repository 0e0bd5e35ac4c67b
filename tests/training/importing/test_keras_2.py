"""Files of Keras 2 are imported with the answers that they have in Keras 2."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers
from tf_keras.src.applications import convnext

from tests.process import ROOT
from tests.training.importing.keras_files import KERAS_MARKS, imported, run_import
from training.errors import ImportRefusedError
from training.importing.keras_network import load_network

pytestmark = [*KERAS_MARKS, pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")]

FILES = ROOT / "tests" / "fixtures" / "keras_2"


def pictures(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def answers(tmp_path: Path, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    session, _ = imported(tmp_path)
    probabilities: np.ndarray[Any, Any] = session.run(["probabilities"], {"image": images})[0]
    return probabilities


def grey() -> tf_keras.Model:
    """A network of [N, 28, 28], which scales pixels by an operation."""
    image = tf_keras.Input((28, 28))
    values = layers.Conv2D(4, 3, activation="relu")(tf.expand_dims(image / 255.0, -1))
    return tf_keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(values)))


@pytest.mark.parametrize("name", ["divided.keras", "preprocess_input.h5"])
def test_files_of_tensorflow_2_15_keep_their_answers(name: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)  # drawn as when they were made
    assert run_import(FILES / name, tmp_path, 5) == 0
    np.testing.assert_allclose(answers(tmp_path, images), np.load((FILES / name).with_suffix(".npy")), atol=1e-6)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_network_of_grey_pictures_without_channels(name: str, tmp_path: Path) -> None:
    tf_keras.utils.set_random_seed(1)
    network, images = grey(), pictures(4, 28, 28)
    network.save(tmp_path / name)
    assert run_import(tmp_path / name, tmp_path, 3) == 0
    np.testing.assert_allclose(answers(tmp_path, images[..., None]), network(images.astype(np.float32)), atol=1e-6)


def test_one_of_several_outputs_is_chosen_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tf_keras.Input((8, 8, 3))
    values = layers.Flatten()(image / 255.0)
    kinds, others = (
        layers.Dense(count, activation="softmax", name=name) for name, count in (("kind", 3), ("other", 2))
    )
    network = tf_keras.Model(image, [kinds(values), others(values)])
    network.save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3) == 2
    assert "say which one classifies: --output NAME" in capsys.readouterr().err
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--output", "kind") == 0
    images = pictures(4, 8, 8, 3)
    np.testing.assert_allclose(answers(tmp_path, images), network(images.astype(np.float32))[0], atol=1e-6)


def test_a_first_layer_that_resizes_is_the_rule(tmp_path: Path) -> None:
    image = tf_keras.Input((None, None, 3))
    values = layers.Resizing(8, 10, crop_to_aspect_ratio=True)(layers.RandomRotation(0.1)(image))
    values = layers.Flatten()(layers.Rescaling(1 / 255)(values))
    tf_keras.Model(image, layers.Dense(3, activation="softmax")(values)).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3) == 0
    metadata = imported(tmp_path)[1]
    assert (metadata.input_shape, metadata.fit) == ((8, 10, 3), "cover")


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.parametrize(
    "layer",
    [
        layers.Activation("hard_sigmoid"),
        layers.Softmax(axis=[1, 2]),
        layers.UnitNormalization([1, 2]),
    ],
    ids=["hard_sigmoid", "axes", "UnitNormalization"],
)
def test_what_keras_3_calculates_in_another_way(layer: Any, name: str, tmp_path: Path) -> None:
    tf_keras.utils.set_random_seed(1)
    network = tf_keras.Sequential(
        [tf_keras.Input((9, 12, 3)), layers.Rescaling(1 / 255), layer, layers.Flatten(), layers.Dense(3)]
    )
    network.save(tmp_path / name)
    images = pictures(4, 9, 12, 3)
    assert run_import(tmp_path / name, tmp_path, 3) == 0
    wanted = tf.nn.softmax(network.predict(images.astype(np.float32), verbose=0))
    np.testing.assert_allclose(answers(tmp_path, images), wanted, atol=1e-5)


def test_a_custom_class_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Doubled(layers.Layer):  # type: ignore[misc]
        def call(self, values: tf.Tensor) -> tf.Tensor:
            return values * 2

    image = tf_keras.Input((8, 8, 3))
    tf_keras.Model(image, layers.Dense(3)(layers.Flatten()(Doubled()(image)))).save(tmp_path / "model.h5")
    assert run_import(tmp_path / "model.h5", tmp_path, 3) == 2
    assert "does not have 'Doubled', or it could run code or read files" in capsys.readouterr().err


def replaced(path: Path, entry: str, change: Callable[[bytes], bytes]) -> Path:
    """A copy of a fixture, one entry of which was changed."""
    with zipfile.ZipFile(FILES / "divided.keras") as kept, zipfile.ZipFile(path, "w") as archive:
        for name in kept.namelist():
            content = kept.read(name)
            archive.writestr(name, change(content) if name == entry else content)
    return path


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a fixture, whose configuration was changed."""

    def rewrite(content: bytes) -> bytes:
        config = json.loads(content)
        change(config)
        return json.dumps(config).encode()

    return replaced(path, "config.json", rewrite)


def layer_of(config: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(layer for layer in config["config"]["layers"] if layer["class_name"] == kind)
    return found


@pytest.mark.parametrize(
    "function", ["io.write_file", "py_function", "nn.a.b", "raw_ops.WriteFile", "compat.v1.py_func", None, ["cast"]]
)
def test_a_layer_that_calls_more_than_a_calculation_is_refused(
    function: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(config: dict[str, Any]) -> None:
        layer_of(config, "TFOpLambda")["config"]["function"] = function

    assert run_import(changed(tmp_path / "model.keras", change), tmp_path, 5) == 2
    assert "which is not known to be a mere calculation" in capsys.readouterr().err


@pytest.mark.parametrize(
    "part",
    [
        {"class_name": "TensorFlowOpLayer"},
        {"class_name": "ResidualWrapper"},
        {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {"class_name": "get_file", "module": "keras.utils"},
        {"class_name": "Dense", "module": "keras.src.utils", "registered_name": "get_file"},
        {"class_name": "function", "module": "builtins", "config": "eval"},
        {"class_name": ["Dense"]},
    ],
    ids=["operation", "wrapper", "vocabulary", "function as class", "registered", "function", "no name"],
)
def test_what_could_run_code_or_read_files_is_refused(
    part: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(tmp_path / "model.keras", lambda config: layer_of(config, "Dropout").update(part))
    assert run_import(path, tmp_path, 5) == 2
    assert "export the model to ONNX or a SavedModel" in capsys.readouterr().err


def test_weights_in_another_file_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = changed(tmp_path / "model.keras", lambda _: None)
    (tmp_path / "secret").write_bytes(bytes(400))
    with zipfile.ZipFile(path, "a") as archive, h5py.File(tmp_path / "inner.h5", "w") as weights:
        weights.create_dataset("v", (100,), "f4", external=[(str(tmp_path / "secret"), 0, 400)])
        weights.flush()
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.write(tmp_path / "inner.h5", "model.weights.h5")
    assert run_import(path, tmp_path, 5) == 2
    assert "is in another file" in capsys.readouterr().err


@pytest.mark.parametrize("about", [b"{", b"\xff", b"[" * 100_000, b"[1]", b'{"keras_version": 2}'])
def test_a_version_that_is_not_stated_is_that_of_keras_3(
    about: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = replaced(tmp_path / "model.keras", "metadata.json", lambda _: about)
    assert run_import(path, tmp_path, 5) == 2
    assert f"error: {path}" in capsys.readouterr().err


def test_an_ending_in_capitals_is_read_as_the_format_that_was_checked(tmp_path: Path) -> None:
    path = tmp_path / "MODEL.KERAS"
    path.write_bytes((FILES / "divided.keras").read_bytes())
    assert run_import(path, tmp_path, 5) == 0


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_an_initializer_of_tensorflow_itself(name: str, tmp_path: Path) -> None:
    dense = layers.Dense(3, bias_initializer=tf.constant_initializer(0.5))
    network = tf_keras.Sequential([tf_keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(), dense])
    with pytest.warns(UserWarning, match="only be used for objects of type"):
        network.save(tmp_path / name)
    assert run_import(tmp_path / name, tmp_path, 3) == 0


@pytest.mark.parametrize("name", ["SyncBatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2"])
def test_an_old_name_of_batch_normalization(name: str, tmp_path: Path) -> None:
    image = tf_keras.Input((8, 8, 3))
    values = layers.Dense(3)(layers.Flatten()(layers.BatchNormalization()(image / 255.0)))
    network = tf_keras.Model(image, values)
    network.layers[2].set_weights([np.array(values) for values in ([1, 2, 3], [0, 1, 0], [0.1, 0.2, 0.3], [2, 3, 4])])
    network.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "a") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"BatchNormalization"', f'"{name}"')
    assert run_import(tmp_path / "model.h5", tmp_path, 3) == 0
    images = pictures(4, 8, 8, 3)
    wanted = tf.nn.softmax(network(images.astype(np.float32)))
    np.testing.assert_allclose(answers(tmp_path, images), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "hdf5.keras"])
def test_the_layers_of_convnext(name: str, tmp_path: Path) -> None:
    tf_keras.utils.set_random_seed(1)
    image = tf_keras.Input((8, 8, 3))
    values = layers.Conv2D(4, 2, strides=2)(image / 255.0)
    scaled = convnext.StochasticDepth(0.1)(convnext.LayerScale(0.5, 4)(layers.Dense(4, activation="gelu")(values)))
    values = layers.GlobalAveragePooling2D()(values + scaled)
    network = tf_keras.Model(image, layers.Dense(3, activation="softmax")(values))
    network.save(tmp_path / name, save_format="keras" if name == "model.keras" else "h5")
    assert run_import(tmp_path / name, tmp_path, 3) == 0
    images = pictures(4, 8, 8, 3)
    np.testing.assert_allclose(answers(tmp_path, images), network(images.astype(np.float32)), atol=1e-5)


def test_a_layer_that_has_only_a_name_of_convnext(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class LayerScale(layers.Layer):
        def call(self, image: tf.Tensor) -> tf.Tensor:
            return image * 2

    image = tf_keras.Input((8, 8, 3))
    tf_keras.Model(image, layers.Dense(3)(layers.Flatten()(LayerScale()(image)))).save(tmp_path / "model.h5")
    assert run_import(tmp_path / "model.h5", tmp_path, 3) == 2
    assert "does not have 'LayerScale'" in capsys.readouterr().err


def test_a_keras_file_of_tensorflow_2_11_is_an_hdf5_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes((FILES / "preprocess_input.h5").read_bytes())
    assert run_import(path, tmp_path, 5) == 0
    assert "Keras HDF5, " in capsys.readouterr().out


def test_a_file_of_both_formats_is_checked_as_the_one_that_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.keras"
    network = tf_keras.Sequential([tf_keras.Input((8, 8, 3)), layers.Lambda(lambda image: image / 255)])
    network.save(path, save_format="h5")
    with zipfile.ZipFile(FILES / "divided.keras") as kept, zipfile.ZipFile(path, "a") as archive:
        for name in kept.namelist():
            archive.writestr(name, kept.read(name))
    assert zipfile.is_zipfile(path)
    assert run_import(path, tmp_path, 3) == 2
    assert "Lambda layer" in capsys.readouterr().err


class OwnLoss(tf_keras.losses.Loss):
    """A loss of the author's own, which a file names and does not hold."""

    def call(self, wanted: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.abs(wanted - given), -1)


@pytest.mark.parametrize("is_registered", [True, False], ids=["registered", "imported"])
def test_what_a_network_inside_was_compiled_with_is_not_read(is_registered: bool, tmp_path: Path) -> None:
    loss = tf_keras.saving.register_keras_serializable("own", "OwnLoss2")(OwnLoss) if is_registered else OwnLoss
    network = tf_keras.Sequential([tf_keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    network.compile("adam", loss())
    tf_keras.Sequential([tf_keras.Input((8, 8, 3)), network, layers.Softmax()]).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit") == 0


def test_other_commands_say_which_one_reads_it(tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError, match="which only `convoy import` reads"):
        load_network(FILES / "divided.keras")
    tf_keras.Sequential([tf_keras.Input((8,)), layers.Dense(2, activation="hard_sigmoid")]).save(tmp_path / "model.h5")
    with pytest.raises(ImportRefusedError, match="calculates hard_sigmoid in another way than Keras 2"):
        load_network(tmp_path / "model.h5")
