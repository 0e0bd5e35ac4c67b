"""Keras files and SavedModels are imported; files with code are refused with the reason."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.core.protobuf import saved_model_pb2

from bench.foreign_networks import write_labels
from contract import ModelMetadata
from imaging import Target, read
from tests.imaging.files import encode, photo
from training.cli import main
from training.errors import ImportRefusedError
from training.importing.keras_archive import check_h5, check_keras
from training.importing.keras_network import first_line
from training.importing.saved_model_check import check_saved_model

pytestmark = [
    pytest.mark.slow,
    # Keras converts its variables in a way that is deprecated in numpy.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    keras.utils.set_random_seed(5)


def run_import(source: Path, tmp_path: Path, classes: int, *words: str) -> int:
    labels = write_labels(tmp_path / "labels.txt", classes)
    out = str(tmp_path / "models")
    return main(["import", str(source), "--name", "own", "--labels", str(labels), "--out", out, *words])


def imported(tmp_path: Path) -> tuple[onnxruntime.InferenceSession, ModelMetadata]:
    session = onnxruntime.InferenceSession(tmp_path / "models" / "own" / "1" / "model.onnx")
    return session, ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)


def digits() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


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


def test_what_the_network_scales_itself_is_not_scaled_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_rescaling().save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 4, "--preprocessing", "unit") == 2
    assert "Rescaling" in capsys.readouterr().err
    assert run_import(tmp_path / "model.keras", tmp_path, 4, "--preprocessing", "signed") == 0
    assert "not applied twice" in capsys.readouterr().out
    assert "proven" in (imported(tmp_path)[1].preprocessing_proof or "")


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


def test_an_open_size_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = layers.Input((None, None, 3))
    values = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    keras.Model(image, layers.Dense(3)(values)).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit") == 2
    assert "--size 224" in capsys.readouterr().err
    words = ("--preprocessing", "unit", "--size", "48x64")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, *words) == 2
    assert "--resize stretch" in capsys.readouterr().err
    assert run_import(tmp_path / "model.keras", tmp_path, 3, *words, "--resize", "stretch") == 0
    assert imported(tmp_path)[1].input_shape == (48, 64, 3)


def resizing_itself(*first: keras.Layer) -> keras.Model:
    values = image = layers.Input((None, None, 3))
    for layer in (*first, layers.Rescaling(1 / 255), layers.Conv2D(4, 5, strides=4), layers.Flatten()):
        values = layer(values)
    return keras.Model(image, layers.Dense(3, activation="softmax")(values))


@pytest.mark.parametrize("option", ["crop_to_aspect_ratio", "pad_to_aspect_ratio", None])
def test_a_first_layer_that_resizes_is_the_rule(option: str | None, tmp_path: Path) -> None:
    network = resizing_itself(layers.Resizing(24, 32, **({option: True} if option else {})))
    network.save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3) == 0
    session, metadata = imported(tmp_path)
    picture = photo(97, 131)
    given = read(encode(picture, "PNG"), Target.of(metadata))[np.newaxis]
    wanted = network(np.asarray(picture, np.float32)[np.newaxis]).numpy()
    assert np.abs(session.run(None, {"image": given})[0] - wanted).max() < 2e-3  # of the rounding to whole levels


@pytest.mark.parametrize(
    "first",
    [
        [layers.CenterCrop(16, 16)],
        [layers.Resizing(16, 16, interpolation="bicubic")],
        [layers.Resizing(16, 16, pad_to_aspect_ratio=True, fill_value=9.0)],
        [layers.AveragePooling2D(2), layers.Resizing(16, 16)],
    ],
    ids=["CenterCrop", "bicubic", "fill_value", "not the first"],
)
def test_layers_that_resize_in_another_way_are_named(
    first: list[keras.Layer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resizing_itself(*first).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--size", "16") == 2
    assert f"its layer {type(first[-1]).__name__}" in capsys.readouterr().err
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--size", "16", "--resize", "stretch") == 0


def test_a_layer_beside_the_one_that_resizes_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = layers.Input((None, None, 3))
    resized = layers.GlobalMaxPooling2D()(layers.Resizing(16, 16)(image))
    values = layers.Concatenate()([resized, layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3)(image))])
    keras.Model(image, layers.Dense(3)(values)).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--preprocessing", "unit") == 2
    assert "its layer Resizing" in capsys.readouterr().err


def test_a_size_that_contradicts_the_first_layer_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resizing_itself(layers.Resizing(16, 16)).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3, "--size", "32") == 2
    assert "resizes pictures to 16 x 16" in capsys.readouterr().err


def test_a_saved_model_that_resizes_pictures_of_any_size_is_asked_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tf.constant(np.random.default_rng(1).normal(size=(3, 3)).astype(np.float32))

    class Padding(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
        def __call__(self, image: tf.Tensor) -> tf.Tensor:
            return tf.reduce_max(tf.image.resize_with_pad(image, 8, 8), [1, 2]) @ weights

    padding = Padding()
    tf.saved_model.save(padding, str(tmp_path / "sm"), signatures={"serving_default": padding.__call__})
    assert run_import(tmp_path / "sm", tmp_path, 3, "--preprocessing", "unit", "--size", "8") == 2
    assert "its graph resizes them itself (ResizeBilinear)" in capsys.readouterr().err


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
