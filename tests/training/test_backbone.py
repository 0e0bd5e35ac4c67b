"""Transfer learning: from a Keras file to a served classifier of other pictures."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from service.inference import GpuPolicy, ModelRepository, Provider
from training.backbone import Backbone, open_backbone
from training.cli import main
from training.data.dataset import DataSet
from training.errors import ImportRefusedError, RunError
from training.export import check_parity, to_onnx
from training.fit import Fitted
from training.onnx_classifier import OnnxClassifier
from training.recipes import own_backbone
from training.recipes.recipe import Kept
from training.transfer import fit_backbone, joined, phases

pytestmark = [
    pytest.mark.slow,
    # Keras converts its variables in a way that is deprecated in numpy.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SIDE = 16
Errors = pytest.CaptureFixture[str]


def seeing(*, size: int | None = SIDE, channels: int = 3, scales: bool = True) -> keras.Model:
    """A classifier of seven other classes, with non-trivial normalisations and a gate like MobileNetV3's."""
    keras.utils.set_random_seed(3)
    image = layers.Input((size, size, channels))
    values = layers.Rescaling(1 / 127.5, offset=-1)(image) if scales else image
    values = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(values)
    values = layers.BatchNormalization(
        moving_mean_initializer=keras.initializers.RandomNormal(0, 0.3),
        moving_variance_initializer=keras.initializers.RandomUniform(0.5, 2),
    )(values)
    values = layers.Activation("hard_swish")(values)
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(values))
    values = layers.Multiply()([values, gate])
    values = layers.DepthwiseConv2D(3, padding="same")(values)
    answers = layers.Dense(7, activation="softmax")(layers.GlobalAveragePooling2D()(values))
    return keras.Model(image, answers)


@pytest.fixture(scope="module")
def seeing_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backbone") / "seeing.keras"
    seeing().save(path)
    return path


@pytest.fixture(scope="module")
def backbone(seeing_file: Path) -> Backbone:
    return open_backbone(str(seeing_file), size=None, color_mode=None, preprocessing=None)


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory, cifar10_data: DataSet) -> Path:
    """A folder of real pictures of two classes."""
    place = tmp_path_factory.mktemp("things")
    for label in ("ship", "frog"):
        (place / label).mkdir()
        for row in np.flatnonzero(cifar10_data.train.classes == cifar10_data.labels.index(label))[:12]:
            Image.fromarray(cifar10_data.train.pixels[row]).save(place / label / f"{row}.png")
    return place


@pytest.fixture(scope="module")
def model(things: Path, seeing_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One version on that backbone, trained by the command."""
    place = tmp_path_factory.mktemp("models")
    words = ["train", "things", "--data-dir", str(things), "--backbone", str(seeing_file), "--epochs", "2"]
    assert main([*words, "--folds", "1", "--out", str(place / "models"), "--run-dir", str(place / "run")]) == 0
    return place / "models" / "things" / "1" / "model.onnx"


def test_a_folder_becomes_a_served_model_on_a_backbone(model: Path) -> None:
    said = OnnxClassifier.open(model).metadata
    assert said.labels == ("frog", "ship")
    assert said.input_shape == (SIDE, SIDE, 3)
    assert said.training["backbone"]["origin"] == "seeing.keras"
    assert (said.training["backbone"]["frozen_epochs"], said.training["backbone"]["unfrozen_epochs"]) == (1, 1)
    assert said.features == (8, SIDE // 2, SIDE // 2)
    card = (model.parent / "MODEL_CARD.md").read_text()
    assert "backbone: seeing.keras" in card
    assert "--backbone seeing.keras" in card
    assert len(json.loads((model.parent / "metrics.json").read_text())["history"]["val_loss"]) == 2
    repository = ModelRepository(
        model.parents[2],
        provider=Provider("cpu"),
        intra_op_threads=1,
        max_batch_size=None,
        gpu=GpuPolicy(1 << 30, cuda_graphs=False),
    )
    assert repository.load("things", "1").metadata.name == "things"


def test_serving_sees_the_pixels_that_keras_saw(model: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, SIDE, SIDE, 3), np.uint8)
    kept = keras.saving.load_model(model.parent / "model.keras", safe_mode=True)
    expected = kept.predict(pixels / np.float32(255), verbose=0)
    np.testing.assert_allclose(OnnxClassifier.open(model).predict(pixels), expected, atol=1e-4)


@pytest.mark.parametrize("rule", ["caffe", "imagenet", "unit", "raw"])
def test_every_rule_of_pixels_is_inside_the_graph(rule: str, tmp_path: Path, cifar10_data: DataSet) -> None:
    network = seeing(size=32, scales=False)
    network.save(tmp_path / "plain.keras")
    opened = open_backbone(str(tmp_path / "plain.keras"), size=None, color_mode=None, preprocessing=rule)
    classifier = opened.classifier(10, frozen=True)
    pixels = cifar10_data.test.pixels[:4]
    features = opened.network.predict(opened.preprocessing.apply(pixels), verbose=0)
    dense = classifier.layers[-1]
    logits = features.mean(axis=(1, 2)) @ np.asarray(dense.kernel)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.predict(pixels / np.float32(255), verbose=0), expected, atol=1e-4)
    if rule == "caffe":  # a layer reverses the channels, and must be exported too
        assert check_parity(to_onnx(classifier, 1.0), classifier, cifar10_data.test) <= 1e-4


def test_a_frozen_backbone_learns_nothing_and_an_unfrozen_one_keeps_its_normalisations(
    model: Path, backbone: Backbone
) -> None:
    before = {weight.path: np.asarray(weight) for weight in backbone.network.weights}
    run = model.parents[3] / "run"
    with np.load(run / "frozen" / "checkpoint.npz") as frozen, np.load(run / "unfrozen" / "checkpoint.npz") as unfrozen:
        for place, (path, original) in enumerate(before.items()):  # the backbone's weights come before the head's
            np.testing.assert_array_equal(frozen[f"network/{place}"], original)
            stays = "batch_normalization" in path
            assert np.array_equal(unfrozen[f"network/{place}"], original) == stays, path


def test_what_the_first_weights_learnt_from_is_not_known_so_no_record_says_what_the_new_ones_did(model: Path) -> None:
    assert not model.with_name("learnt.json").exists()


@pytest.mark.parametrize(
    ("rule", "momentum", "said"), [("caffe", 0.9, "preprocessing"), ("unit", 0.5, "configuration of the backbone")]
)
def test_a_run_does_not_continue_on_a_backbone_that_sees_its_pictures_in_another_way(
    rule: str, momentum: float, said: str, cifar10_data: DataSet, tmp_path: Path
) -> None:
    def opened(preprocessing: str, momentum: float) -> Backbone:
        image = layers.Input((32, 32, 3), name="image")
        values = layers.Conv2D(4, 3, kernel_initializer="ones", name="seen")(image)
        values = layers.BatchNormalization(momentum=momentum, name="normal")(values)
        network = keras.Model(image, layers.Dense(2, name="answer")(layers.GlobalAveragePooling2D(name="mean")(values)))
        network.save(tmp_path / "net.keras")
        return open_backbone(str(tmp_path / "net.keras"), size=None, color_mode=None, preprocessing=preprocessing)

    def run(backbone: Backbone) -> Fitted:
        recipe = own_backbone.RECIPE.with_epochs(1)
        return fit_backbone(recipe, cifar10_data, tmp_path / "run", backbone=backbone, seed=0, identity={})

    first = run(opened("unit", 0.9))
    assert run(opened("unit", 0.9)).history == first.history
    with pytest.raises(RunError, match=f"holds a run with another {said}: give another --run-dir"):
        run(opened(rule, momentum))


@pytest.mark.parametrize(("keeps", "epoch"), [("best", 1), ("last", 2)])
def test_the_recipe_says_whether_a_frozen_epoch_with_a_lower_loss_is_kept(
    keeps: Kept, epoch: int, backbone: Backbone, cifar10_data: DataSet
) -> None:
    frozen, tuned = (
        Fitted(backbone.network, 1, {"val_loss": [loss]}, cifar10_data.train, cifar10_data.test, last=())
        for loss in (0.1, 0.2)
    )
    both = joined(dataclasses.replace(own_backbone.RECIPE, epochs=2, keeps=keeps), frozen, tuned)
    assert (both.best_epoch, both.history["val_loss"]) == (epoch, [0.1, 0.2])


def test_phases_share_the_epochs() -> None:
    for epochs in (1, 2, 5, 20):
        first, second = phases(own_backbone.RECIPE.with_epochs(epochs))
        assert first.epochs + (second.epochs if second else 0) == epochs


def test_the_network_that_was_kept_is_a_backbone_again(model: Path, tmp_path: Path) -> None:
    kept = model.with_name("model.keras")
    again = open_backbone(str(kept), size=None, color_mode=None, preprocessing=None)
    assert again.preprocessing.name == "unit"
    moved = tmp_path / "moved.keras"
    moved.write_bytes(kept.read_bytes())
    with pytest.raises(ImportRefusedError, match="does not say what it expects of pixel values"):
        open_backbone(str(moved), size=None, color_mode=None, preprocessing=None)


def _with_lambda() -> keras.Model:
    image = layers.Input((SIDE, SIDE, 3))
    values = layers.Conv2D(4, 3)(layers.Lambda(lambda pixels: pixels / 255, name="scale")(image))
    return keras.Model(image, layers.GlobalAveragePooling2D()(values))


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (_with_lambda, {}, "layer 'scale' is a Lambda layer, which is Python code"),
        (lambda: seeing(scales=False), {}, "does not say what it expects of pixel values"),
        (seeing, {"size": (32, 32)}, "takes pictures of 16 x 16 and no others: leave --size out"),
        (seeing, {"color_mode": "L"}, "takes colour pictures: leave --color-mode out"),
        (seeing, {"preprocessing": "imagenet"}, "the network scales pixels itself"),
        (lambda: seeing(size=None), {}, "leaves height and width open; say them, such as --size 224"),
        (lambda: keras.Sequential([layers.Input((9,)), layers.Dense(2)]), {}, "pictures \\[H, W, 1 or 3\\]"),
        (
            lambda: keras.Sequential(
                [layers.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)]
            ),
            {},
            "no layer before its last feature map has weights",
        ),
    ],
)
def test_what_cannot_be_a_backbone_is_refused(
    network: Callable[[], keras.Model], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    network().save(tmp_path / "net.keras")
    said = {"size": None, "color_mode": None, "preprocessing": None} | options
    with pytest.raises(ImportRefusedError, match=message):
        open_backbone(str(tmp_path / "net.keras"), **said)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--backbone", "nowhere.keras"], "--backbone nowhere.keras: there is no such file"),
        (["--backbone", "resnet50"], "mobilenet_v3_small, efficientnet_v2_b0 or a Keras file"),
        (["--recipe", "backbone"], "--recipe backbone needs --backbone"),
        (["--seed", "-1"], "--seed -1: 0 to 4294967295 are possible"),
        (["--size", "0"], "--size 0: a number of pixels is needed"),
        (["--preprocessing", "unit"], "--preprocessing needs --backbone"),
    ],
)
def test_a_mistake_in_the_options_is_explained(words: list[str], message: str, things: Path, capsys: Errors) -> None:
    assert main(["train", "things", "--data-dir", str(things), *words]) == 2
    assert message in capsys.readouterr().err


def test_weights_that_cannot_be_downloaded_are_asked_for_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no server listens on this port
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    with pytest.raises(
        ImportRefusedError,
        match=r"cannot be downloaded .*MobileNetV3Small\(include_top=False\).*--backbone mobilenet_v3_small.keras",
    ):
        open_backbone("mobilenet_v3_small", size=None, color_mode=None, preprocessing=None)


def test_one_more_grey_network_without_channels(tmp_path: Path) -> None:
    image = layers.Input((SIDE, SIDE))
    values = layers.Conv2D(4, 3)(layers.Reshape((SIDE, SIDE, 1))(image))
    keras.Model(image, layers.Dense(2)(layers.Flatten()(values))).save(tmp_path / "grey.keras")
    opened = open_backbone(str(tmp_path / "grey.keras"), size=None, color_mode=None, preprocessing="unit")
    assert (opened.color_mode, opened.shape) == ("L", (SIDE, SIDE, 1))
    classifier = opened.classifier(3, frozen=False)
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 1), np.uint8)
    expected = classifier.predict(pixels / np.float32(255), verbose=0)
    served = OnnxClassifier(to_onnx(classifier, 1.0).SerializeToString())
    np.testing.assert_allclose(served.predict(pixels), expected, atol=1e-4)
