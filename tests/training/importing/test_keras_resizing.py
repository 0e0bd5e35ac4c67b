"""The resize rule and the size of networks of Keras that take pictures of any size."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image, ImageOps

from bench.request_bytes import picture_bytes
from imaging import Target, read
from tests.imaging.files import photo
from tests.training.importing.keras_files import KERAS_MARKS, digits, imported, run_import

pytestmark = [*KERAS_MARKS, pytest.mark.usefixtures("same_weights")]


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


@pytest.mark.parametrize(("fit", "option"), [("cover", "crop_to_aspect_ratio"), ("contain", "pad_to_aspect_ratio")])
def test_a_stated_resize_gives_the_pixels_of_keras_data_sets(fit: str, option: str, tmp_path: Path) -> None:
    digits().save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 10, "--preprocessing", "unit", "--resize", fit) == 0
    target = Target.of(imported(tmp_path)[1])
    folder = tmp_path / "pictures"
    folder.mkdir()
    for size in ((97, 131), (199, 301), (300, 100)):
        photo(*size).convert("L").save(folder / f"{size}.png")
    pictures = keras.utils.image_dataset_from_directory(
        folder,
        labels=None,
        image_size=(28, 28),
        color_mode="grayscale",
        shuffle=False,
        batch_size=3,
        verbose=False,
        **{option: True},
    )
    given = np.stack([read(Path(path).read_bytes(), target) for path in pictures.file_paths])
    assert np.abs(given - next(iter(pictures)).numpy()).max() <= 0.51  # of the rounding to whole levels


def test_the_options_of_teachable_machine_give_the_pixels_of_its_snippet(tmp_path: Path) -> None:
    digits().save(tmp_path / "keras_model.h5")
    words = ("--preprocessing", "signed", "--resize", "ImageOps.fit", "--interpolation", "lanczos")
    assert run_import(tmp_path / "keras_model.h5", tmp_path, 10, *words) == 0
    target = Target.of(imported(tmp_path)[1])
    for size in ((97, 131), (200, 131), (20, 11)):
        picture = photo(*size).convert("L")
        wanted = np.asarray(ImageOps.fit(picture, (28, 28), Image.Resampling.LANCZOS))
        np.testing.assert_array_equal(read(picture_bytes(picture, "png"), target)[..., 0], wanted)


def test_the_origin_of_a_resize_names_the_options_that_changed_its_filter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits().save(tmp_path / "model.keras")
    words = ("--preprocessing", "unit", "--interpolation", "nearest", "--no-antialias")
    assert run_import(tmp_path / "model.keras", tmp_path, 10, *words) == 0
    assert "--resize changes it; --interpolation nearest; --no-antialias)" in capsys.readouterr().out


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
    given = read(picture_bytes(picture, "PNG"), Target.of(metadata))[np.newaxis]
    wanted = network(np.asarray(picture, np.float32)[np.newaxis]).numpy()
    assert np.abs(session.run(None, {"image": given})[0] - wanted).max() < 2e-3  # of the rounding to whole levels


def test_augmentation_before_the_layer_that_resizes_does_nothing(tmp_path: Path) -> None:
    augmentation = keras.Sequential(
        [
            layers.RandomFlip(),
            layers.RandomTranslation(0.1, 0.1),
            layers.RandomHue(0.1),
            layers.RandomGrayscale(),
            layers.RandomErasing(),
            layers.GaussianNoise(0.5),
        ]
    )
    resizing_itself(augmentation, layers.Resizing(24, 32)).save(tmp_path / "model.keras")
    assert run_import(tmp_path / "model.keras", tmp_path, 3) == 0
    assert imported(tmp_path)[1].input_shape == (24, 32, 3)


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
