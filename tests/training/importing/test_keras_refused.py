"""Keras files and SavedModels that hold code, reach out or are damaged are refused with the reason, and not run."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras.src.applications import convnext
from tensorflow.core.protobuf import saved_model_pb2

from tests.training.importing.keras_files import KERAS_MARKS, digits, run_import
from training.errors import ImportRefusedError
from training.importing.keras_archive import check_h5, check_keras
from training.importing.saved_model_check import check_saved_model

pytestmark = KERAS_MARKS


@pytest.mark.parametrize("form", ["model.keras", "model.h5"])
def test_a_lambda_layer_is_refused_and_not_run(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Lambda(lambda pixels: pixels / 255), layers.Flatten(), layers.Dense(3)]
    )
    network.save(tmp_path / form)
    assert run_import(tmp_path / form, tmp_path, 3, "--preprocessing", "raw") == 2
    assert "Lambda layer, which is Python code" in capsys.readouterr().err


def test_a_layer_of_the_authors_own_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = keras.Sequential([layers.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3)])
    network.save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as whole, zipfile.ZipFile(tmp_path / "m.keras", "w") as changed:
        for entry in whole.infolist():
            content = whole.read(entry)
            if entry.filename == "config.json":
                content = content.replace(b'"module": "keras.layers", "class_name": "Flatten"', _OTHER)
            changed.writestr(entry.filename, content)
    assert run_import(tmp_path / "m.keras", tmp_path, 3, "--preprocessing", "raw") == 2
    assert "custom code" in capsys.readouterr().err


_OTHER = b'"module": "os", "class_name": "system"'


class OwnModel(keras.Model):
    """A subclass, as notebooks write them; its file names it, but does not hold it."""

    __module__ = "__main__"

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, image: tf.Tensor) -> tf.Tensor:
        return self.dense(image)


def own_activation(values: tf.Tensor) -> tf.Tensor:
    return values * 2


@pytest.mark.parametrize("form", ["model.keras", "model.h5"])
def test_an_activation_of_the_authors_own_is_named(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.Sequential([layers.Input((8, 8, 3)), layers.Dense(3, activation=own_activation)]).save(tmp_path / form)
    assert run_import(tmp_path / form, tmp_path, 3, "--preprocessing", "raw") == 2
    assert "does not have 'own_activation'; it is custom code" in capsys.readouterr().err


def test_the_layers_of_convnext_are_not_in_hdf5_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras.Sequential([layers.Input((8, 8, 3)), convnext.LayerScale(0.5, 3)]).save(tmp_path / "model.h5")
    assert run_import(tmp_path / "model.h5", tmp_path, 3, "--preprocessing", "raw") == 2
    assert "ConvNeXt in keras.applications, save the model as model.keras" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["model.keras", "saved_model"])
def test_channels_first_are_to_be_converted(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = keras.Sequential([layers.Input((3, 8, 8)), layers.Flatten(), layers.Dense(3)])
    if form == "saved_model":
        network.export(tmp_path / form, verbose=False)
    else:
        network.save(tmp_path / form)
    assert run_import(tmp_path / form, tmp_path, 3, "--preprocessing", "raw") == 2
    assert "python -m tf2onnx.convert --saved-model FOLDER --output model.onnx" in capsys.readouterr().err


def test_encoded_pictures_are_to_be_decoded_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Decoder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, texts: tf.Tensor) -> tf.Tensor:
            return tf.map_fn(lambda text: tf.reduce_mean(tf.io.decode_png(text)), texts, tf.uint8)

    decoder = Decoder()
    tf.saved_model.save(decoder, str(tmp_path / "sm"), signatures={"serving_default": decoder.__call__})
    assert run_import(tmp_path / "sm", tmp_path, 3, "--preprocessing", "raw") == 2
    assert "it takes texts, such as encoded pictures; export the network" in capsys.readouterr().err


def test_a_recurrent_layer_is_to_be_unrolled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = keras.Sequential([layers.Input((4, 4, 3)), layers.Reshape((4, 12)), layers.GRU(3)])
    network.save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit") == 2
    assert "recurrent layers (LSTM, GRU) are converted with unroll=True" in capsys.readouterr().err


def test_a_model_of_the_authors_own_class_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = OwnModel()
    network(np.zeros((1, 3), np.float32))
    network.save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "raw") == 2
    assert "does not have 'OwnModel'; it is custom code" in capsys.readouterr().err


def test_augmentation_that_is_always_active_is_to_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hue = layers.RandomHue(0.5)

    class Hued(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        def __call__(self, image: tf.Tensor) -> tf.Tensor:
            return tf.reduce_mean(hue(image, training=True), [1, 2])

    hued = Hued()
    hued.layers = hue.variables
    tf.saved_model.save(hued, str(tmp_path / "sm"), signatures={"serving_default": hued.__call__})
    assert run_import(tmp_path / "sm", tmp_path, 3, "--preprocessing", "raw") == 2
    assert "import the .keras file, or export it without them" in capsys.readouterr().err


def test_weights_in_another_file_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digits().save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "a") as file:
        file["model_weights/other"] = h5py.ExternalLink("/etc/passwd", "/x")
    assert run_import(tmp_path / "model.h5", tmp_path, 10, "--preprocessing", "unit") == 2
    assert "is in another file" in capsys.readouterr().err


def test_an_entry_that_leads_out_of_the_archive_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({}))
        archive.writestr("../../evil", b"")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit") == 2
    assert "leads out of the archive" in capsys.readouterr().err


@pytest.mark.parametrize("effect", ["read", "print", "save"])
def test_a_saved_model_that_reaches_out_is_refused_and_not_run(
    effect: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = str(tmp_path / "written")

    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        def __call__(self, image: tf.Tensor) -> tf.Tensor:
            length = tf.constant(0.0)
            if effect == "read":
                length = tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32)
            elif effect == "print":
                tf.print("x", output_stream=f"file://{written}")
            else:
                tf.raw_ops.SaveV2(prefix=written, tensor_names=["x"], shape_and_slices=[""], tensors=[image])
            return tf.reduce_mean(image, [1, 2]) + length

    reader = Reader()
    tf.saved_model.save(reader, str(tmp_path / "sm"), signatures={"serving_default": reader.__call__})
    assert run_import(tmp_path / "sm", tmp_path, 3, "--preprocessing", "unit") == 2
    assert "reads or writes files, runs Python code" in capsys.readouterr().err
    assert not list(tmp_path.glob("written*"))


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_damaged_file_is_told_in_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\nnothing")
    assert run_import(tmp_path / name, tmp_path, 3, "--preprocessing", "unit") == 2
    shown = capsys.readouterr().err
    assert "damaged" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("check", [check_keras, check_h5])
def test_a_file_that_cannot_be_read_is_not_called_damaged(check: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError, match=r"cannot be read \(Is a directory\)$"):
        check(tmp_path)


def test_an_archive_with_damaged_contents_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"layers": list(range(100))}))
    content = bytearray(path.read_bytes())
    content[41] = 255  # the first byte after the header of 30 bytes and the name of 11
    path.write_bytes(content)
    with pytest.raises(ImportRefusedError, match="damaged"):
        check_keras(path)


@pytest.mark.parametrize("kind", ["a group in itself", "a type in the place of an array", "a text that is not UTF-8"])
def test_an_hdf5_file_with_odd_contents_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        if kind == "a group in itself":
            file["loop"] = file
        elif kind == "a type in the place of an array":
            file["type"] = np.dtype(np.float32)
        file.attrs["model_config"] = b"{\xff"
    with pytest.raises(ImportRefusedError):
        check_h5(path)


@pytest.mark.parametrize("kind", ["a loop of links", "a pipe", "deep calls"])
def test_a_saved_model_that_cannot_be_checked_is_refused(kind: str, tmp_path: Path) -> None:
    saved = saved_model_pb2.SavedModel()
    if kind == "a loop of links":
        (tmp_path / "loop").symlink_to("loop")
    elif kind == "a pipe":
        os.mkfifo(tmp_path / "variables")
    else:
        graph = saved.meta_graphs.add()
        for number in range(1000):
            function = graph.graph_def.library.function.add()
            function.signature.name = f"f{number}"
            function.node_def.add(op="PartitionedCall").attr["f"].func.name = f"f{number + 1}"
        graph.object_graph_def.concrete_functions["f0"].SetInParent()
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(ImportRefusedError, match=r"link|regular file|too deeply"):
        check_saved_model(tmp_path)


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.onnx"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / name)
    assert run_import(tmp_path / name, tmp_path, 3, "--preprocessing", "unit") == 2
    assert "not a regular file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.pt", "model.pkl", "model.txt"])
def test_what_cannot_be_imported_says_what_can(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert run_import(tmp_path / name, tmp_path, 3, "--preprocessing", "unit") == 2
    assert "ONNX" in capsys.readouterr().err.replace("onnx", "ONNX")


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("model.tflite", "python -m tf2onnx.convert --tflite FILE --output model.onnx"),
        ("saved_model.pb", "imported as the folder that holds this file"),
        ("frozen.pb", "python -m tf2onnx.convert --graphdef FILE"),
        ("cp.ckpt.index", "and save it: model.save('model.keras')"),
        ("cp.ckpt.data-00000-of-00001", "weights without a network"),
        ("checkpoint", "weights without a network"),
    ],
)
def test_other_files_of_tensorflow_have_a_way_out(
    name: str, way_out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert run_import(tmp_path / name, tmp_path, 3, "--preprocessing", "unit") == 2
    assert way_out in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("checkpoint", ".", "weights without a network"),
        ("cp.ckpt.index", ".", "weights without a network"),
        ("cp.ckpt.index", "cp.ckpt", "weights without a network"),
        ("keras_model.h5", ".", "own name: "),
    ],
)
def test_what_a_folder_holds_is_told(
    name: str, asked: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).touch()
    assert run_import(folder / asked, tmp_path, 3, "--preprocessing", "unit") == 2
    assert said in capsys.readouterr().err
