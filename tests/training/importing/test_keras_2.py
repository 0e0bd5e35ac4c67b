"""Files of Keras 2 that Keras 3 cannot load are imported with the answers that they have in Keras 2."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers

from tests.process import ROOT
from tests.training.importing.keras_files import KERAS_MARKS, imported, run_import
from training.errors import ImportRefusedError
from training.importing.keras_network import OlderKerasError, load_network

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
    assert "it has the outputs kind, other; say which one classifies: --output" in capsys.readouterr().err
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--output", "kind") == 0
    images = pictures(4, 8, 8, 3)
    np.testing.assert_allclose(answers(tmp_path, images), network(images.astype(np.float32))[0], atol=1e-6)


def test_an_open_size_is_asked_for_even_where_a_layer_resizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tf_keras.Input((None, None, 3))
    values = layers.Flatten()(layers.Resizing(8, 8)(image) / 255.0)
    tf_keras.Model(image, layers.Dense(3, activation="softmax")(values)).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3) == 2
    assert "--size" in capsys.readouterr().err
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--size", "16") == 2
    assert "its graph resizes them itself" in capsys.readouterr().err
    words = ("--size", "16", "--resize", "stretch", "--preprocessing", "raw")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, *words) == 0


def test_a_custom_class_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Doubled(layers.Layer):  # type: ignore[misc]
        def call(self, values: tf.Tensor) -> tf.Tensor:
            return values * 2

    image = tf_keras.Input((8, 8, 3))
    tf_keras.Model(image, layers.Dense(3)(layers.Flatten()(Doubled()(image)))).save(tmp_path / "model.h5")
    assert run_import(tmp_path / "model.h5", tmp_path, 3) == 2
    assert "does not have 'Doubled'; it is custom code, which is not in the file" in capsys.readouterr().err


@pytest.mark.parametrize("function", ["io.write_file", "py_function", "nn.a.b", "raw_ops.WriteFile", None, ["cast"]])
def test_a_layer_that_calls_more_than_a_calculation_is_refused(
    function: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "model.keras"
    with zipfile.ZipFile(FILES / "divided.keras") as kept, zipfile.ZipFile(changed, "w") as archive:
        for name in kept.namelist():
            content = kept.read(name)
            if name == "config.json":
                config = json.loads(content)
                (layer,) = (one for one in config["config"]["layers"] if one["class_name"] == "TFOpLambda")
                layer["config"]["function"] = function
                content = json.dumps(config).encode()
            archive.writestr(name, content)
    assert run_import(changed, tmp_path, 5) == 2
    assert "which is not known to be a mere calculation" in capsys.readouterr().err


def test_other_commands_say_which_one_reads_it() -> None:
    with pytest.raises(OlderKerasError, match="which only `convoy import` reads") as refused:
        load_network(FILES / "divided.keras")
    assert isinstance(refused.value, ImportRefusedError)
