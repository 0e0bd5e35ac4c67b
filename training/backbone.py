"""Transfer learning: a pretrained network, the backbone, becomes the first part of a network for other classes.

::

    pixels / 255 -> the backbone's own preprocessing -> backbone, up to its last feature map
                 -> global mean -> dropout -> dense, softmax: the new classes

The backbone comes from ``keras.applications`` with ImageNet weights, or from any Keras file.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import keras
import numpy as np

from contract import ColorMode
from training.data.learnt_pictures import LearntPictures
from training.errors import ImportRefusedError, ModelFileError
from training.importing.keras_network import first_line, layers_of, load_network, scaling_of
from training.importing.pixel_rule import pixel_rule
from training.importing.preprocessing import CHOICES, Preprocessing
from training.importing.stated import Fact
from training.onnx_classifier import OnnxClassifier

NAMED: Final[Mapping[str, str]] = MappingProxyType(
    {"mobilenet_v3_small": "MobileNetV3Small", "efficientnet_v2_b0": "EfficientNetV2B0"}
)
"""The names that ``--backbone`` accepts, and the name of each network in keras.applications."""

_NAMED_SIDE: Final = 224
_DROPOUT: Final = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A network up to its last feature map.

    Attributes:
        origin: a text for the model card that says where it comes from.
        network: from preprocessed values [N, H, W, C] to a feature map [N, h, w, K].
        preprocessing: how pixels from 0 to 255 become these values.
        shape: (H, W, C) of the pictures.
        fingerprint: SHA-256 of its weights.
        layers: SHA-256 of its layers' configuration, which its weights do not tell.
        learnt: the pictures that it learnt from, where a record stands beside its file.
        is_named: whether it is of keras.applications and so learnt from ImageNet.
    """

    origin: str
    network: keras.Model
    preprocessing: Preprocessing
    shape: tuple[int, int, int]
    fingerprint: str
    layers: str
    learnt: LearntPictures | None = None
    is_named: bool = False

    @property
    def color_mode(self) -> ColorMode:
        """The color mode of the pictures that the network takes."""
        return "RGB" if self.shape[2] == 3 else "L"

    def identity(self) -> dict[str, str]:
        """What must be equal for one run to continue another, by its name in a message."""
        rule = self.preprocessing
        return {
            "backbone": self.fingerprint,
            "preprocessing": json.dumps([rule.mean, rule.std, rule.order]),
            "configuration of the backbone": self.layers,
        }

    def classifier(self, classes: int, *, frozen: bool) -> keras.Sequential:
        """A new classifier on a copy of the backbone, from pixels divided by 255 to probabilities.

        Args:
            classes: the number of classes.
            frozen: whether training leaves the backbone's weights as they are. Its normalisations are never trained:
                the statistics of small batches would destroy what it has learnt (Keras' guide to transfer learning).
        """
        # A copy, since training changes weights; in float32, whatever the policy of the process is.
        body = keras.models.clone_model(self.network)
        body.set_weights(self.network.get_weights())
        body.trainable = not frozen
        if not frozen:
            for layer in layers_of(body):
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.trainable = False
        stack = [keras.Input(self.shape, name="pixels"), *self._scaling()]
        if len(self.network.inputs[0].shape) == 3:
            stack.append(keras.layers.Reshape(self.shape[:2], name="grey"))
        stack += [
            body,
            keras.layers.GlobalAveragePooling2D(name="mean"),
            keras.layers.Dropout(_DROPOUT, name="dropout"),
            keras.layers.Dense(classes, activation="softmax", name="probabilities"),
        ]
        return keras.Sequential(stack, name="own_transfer")

    def _scaling(self) -> list[keras.Layer]:
        """The layers from pixels / 255 to the backbone's input; no Lambda layer, so the saved file loads anywhere."""
        rule, channels = self.preprocessing, self.shape[2]
        mean, std = (np.broadcast_to(values, channels).astype(np.float64) for values in (rule.mean, rule.std))
        scale, offset = (255 / std).tolist(), (-mean / std).tolist()
        if len(set(scale)) == 1:
            scale = scale[0]
        if len(set(offset)) == 1:
            offset = offset[0]
        layers: list[keras.Layer] = []
        if rule.order == "BGR":
            # A fixed 1x1 convolution reverses the order of the channels.
            turned = keras.initializers.Constant(np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3).tolist())
            layers.append(
                keras.layers.Conv2D(3, 1, use_bias=False, trainable=False, kernel_initializer=turned, name="bgr")
            )
        if (scale, offset) != (1.0, 0.0):
            layers.append(keras.layers.Rescaling(scale, offset, name="scale"))
        return layers


def open_backbone(
    asked: str, *, size: tuple[int, int] | None, color_mode: ColorMode | None, preprocessing: str | None
) -> Backbone:
    """Opens the network that ``--backbone`` names.

    Args:
        asked: a key of :data:`NAMED`, or the path of a ``.keras`` or ``.h5`` file.
        size: (height, width) of the pictures; None takes the network's own.
        color_mode: the color mode that the user asks for; None takes the network's own.
        preprocessing: the value of ``--preprocessing``; None where it is not given.

    Raises:
        ImportRefusedError: it cannot be downloaded or read, contains code, does not take pictures, takes pictures of
            another shape, or does not state its preprocessing.
    """
    named = NAMED.get(asked)
    path = Path(asked)
    if named is None and path.suffix.lower() not in (".keras", ".h5", ".hdf5"):
        raise ImportRefusedError(
            f"--backbone {asked}: give {', '.join(NAMED)} or a Keras file (.keras, .h5); PyTorch and ONNX files "
            "cannot be trained here"
        )
    if named is None and not path.is_file():
        raise ImportRefusedError(f"--backbone {asked}: there is no such file")
    network = load_network(path) if named is None else _application(asked, named)
    shape = _shape(network, asked, size or ((_NAMED_SIDE, _NAMED_SIDE) if named else None), color_mode)
    said = _stated(path, preprocessing, named is not None)
    rule = pixel_rule(f"--backbone {asked}", said, *scaling_of(list(layers_of(network))))
    if rule is None:
        raise ImportRefusedError(
            f"--backbone {asked} does not say what it expects of pixel values, and nothing is guessed:\n{CHOICES}"
        )
    rule.value.check_channels(shape[2])
    body = _body(network, shape, asked)
    digest = hashlib.sha256()
    for weights in body.get_weights():
        digest.update(np.ascontiguousarray(weights).data)
    origin = f"{named} of keras.applications, with the weights that it learnt on ImageNet" if named else path.name
    learnt = None if named else LearntPictures.beside(path)
    return Backbone(origin, body, rule.value, shape, digest.hexdigest(), _layers(body), learnt, named is not None)


def _layers(body: keras.Model) -> str:
    """SHA-256 of the configuration of its layers."""
    said = json.loads(body.to_json())["config"]
    del said["name"]  # Keras numbers the models of a process
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _application(asked: str, named: str) -> keras.Model:
    make = getattr(keras.applications, named)
    try:
        with warnings.catch_warnings(action="ignore"):  # Keras warns about weights for 224 pixels at other sizes
            return make(include_top=False, weights="imagenet", input_shape=(None, None, 3))
    except Exception as error:  # Keras raises a plain Exception where it cannot download
        raise ImportRefusedError(
            f"--backbone {asked}: its weights are not on this machine and cannot be downloaded "
            f'({first_line(error).rpartition(" -- ")[2]}). On a machine with internet, run: python -c "import keras; '
            f"keras.applications.{named}(include_top=False).save('{asked}.keras')\"; copy the file here and say "
            f"--backbone {asked}.keras --size {_NAMED_SIDE}"
        ) from error


def _shape(
    network: keras.Model, asked: str, size: tuple[int, int] | None, color_mode: ColorMode | None
) -> tuple[int, int, int]:
    """(H, W, C) of the pictures: the network's own, or the requested size where the network takes any."""
    inputs = getattr(network, "inputs", None)
    if not inputs or len(inputs) != 1 or not hasattr(network, "layers"):
        count = len(inputs) if inputs else "none that its file describes"
        raise ImportRefusedError(f"--backbone {asked}: one input of pictures is needed; this network has {count}")
    taken = tuple(inputs[0].shape[1:])
    if len(taken) not in (2, 3) or (len(taken) == 3 and taken[2] not in (1, 3)):
        raise ImportRefusedError(
            f"--backbone {asked}: it takes {[*taken]}; pictures [H, W, 1 or 3] or [H, W] are needed"
        )
    height, width = taken[:2]
    channels = taken[2] if len(taken) == 3 else 1
    if size is None and (height is None or width is None):
        raise ImportRefusedError(f"--backbone {asked}: it leaves height and width open; say them, such as --size 224")
    if size is not None and any(own not in (None, wanted) for own, wanted in zip((height, width), size, strict=True)):
        raise ImportRefusedError(
            f"--backbone {asked} takes pictures of {height} x {width} and no others: leave --size out"
        )
    if color_mode is not None and channels != {"RGB": 3, "L": 1}[color_mode]:
        raise ImportRefusedError(
            f"--backbone {asked} takes {'grey' if channels == 1 else 'colour'} pictures: leave --color-mode out"
        )
    wanted = size or (0, 0)
    return height or wanted[0], width or wanted[1], channels


def _stated(path: Path, preprocessing: str | None, is_named: bool) -> Fact[Preprocessing] | None:
    if preprocessing is not None:
        return Fact(Preprocessing.parse(preprocessing), f"--preprocessing {preprocessing}")
    if is_named:
        return Fact(Preprocessing.parse("raw"), "keras.applications")
    beside = path.with_name("model.onnx")
    if path.name == "model.keras" and beside.is_file():
        try:
            is_ours = "recipe" in OnnxClassifier.open(beside).metadata.training
        except ModelFileError:
            is_ours = False
        if is_ours:
            return Fact(Preprocessing.parse("unit"), "the model.onnx of convoy train that stands beside it")
    return None


def _body(network: keras.Model, shape: tuple[int, int, int], asked: str) -> keras.Model:
    """The network up to its last feature map larger than 1 x 1, or up to its output where that is a feature map."""
    taken = shape if len(network.inputs[0].shape) == 4 else shape[:2]
    maps = _maps(network)
    probe = keras.Model(network.inputs[0], maps) if maps else None
    if probe is None:
        raise ImportRefusedError(f"--backbone {asked}: it makes no feature map [N, H, W, C]")
    try:
        values = probe(np.zeros((1, *taken), np.float32), training=False)
    except Exception as error:  # Keras raises whatever a layer does
        raise ImportRefusedError(
            f"--backbone {asked}: it does not run on {shape[0]} x {shape[1]} pixels: {first_line(error)}"
        ) from error
    places = [int(np.prod(value.shape[1:3])) for value in values]
    answers_map = len(network.outputs) == 1 and len(network.outputs[0].shape) == 4
    last = len(maps) - 1 if answers_map else max((i for i, count in enumerate(places) if count > 1), default=-1)
    body = keras.Model(network.inputs[0], maps[last], name="backbone")
    if not body.weights:
        raise ImportRefusedError(
            f"--backbone {asked}: no layer before its last feature map has weights. If its convolutions are a model "
            "inside the model, save the inner model and give its file"
        )
    return body


def _maps(network: keras.Model) -> list[keras.KerasTensor]:
    """Every tensor [N, H, W, C] that a layer takes or makes, in order; those inside nested models are not reached."""
    found: dict[int, keras.KerasTensor] = {}
    for layer in network.layers:
        # The input and output of a nested model belong to another graph.
        for kind in () if isinstance(layer, keras.Model) else ("input", "output"):
            try:
                tensors = getattr(layer, kind)
            except (AttributeError, ValueError):  # a layer that is used twice, or was never called
                continue
            for tensor in tensors if isinstance(tensors, list | tuple) else [tensors]:
                if isinstance(tensor, keras.KerasTensor) and len(tensor.shape) == 4:
                    found.setdefault(id(tensor), tensor)
    if isinstance(network.outputs[0], keras.KerasTensor) and len(network.outputs[0].shape) == 4:
        found.pop(id(network.outputs[0]), None)
        found[id(network.outputs[0])] = network.outputs[0]
    return list(found.values())
