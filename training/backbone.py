"""A network that has learnt to see, as the beginning of one for other classes (transfer learning).

::

    pixels / 255 -> what the backbone expects of pixels -> backbone, up to its last feature map
                 -> global mean -> dropout -> dense, softmax: the new classes

It comes from ``keras.applications`` with the weights that ImageNet gave it, or from any Keras file.
"""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import keras
import numpy as np

from contract import ColorMode
from training.errors import ImportRefusedError, ModelFileError
from training.importing.expected import pixel_rule
from training.importing.keras_network import first_line, layers_of, load_network, scaling_of
from training.importing.preprocessing import CHOICES, Preprocessing
from training.importing.stated import Fact
from training.onnx_classifier import OnnxClassifier

NAMED: Final[Mapping[str, str]] = MappingProxyType(
    {"mobilenet_v3_small": "MobileNetV3Small", "efficientnet_v2_b0": "EfficientNetV2B0"}
)
"""What ``--backbone`` knows by name, and what keras.applications calls it."""

_NAMED_SIDE: Final = 224
_DROPOUT: Final = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A network up to its last feature map.

    Attributes:
        origin: where it comes from, in words.
        network: values [N, H, W, C] as ``preprocessing`` makes them, to a feature map [N, h, w, K].
        preprocessing: of pixels from 0 to 255.
        shape: (H, W, C) of the pictures.
        fingerprint: SHA-256 of its weights.
    """

    origin: str
    network: keras.Model
    preprocessing: Preprocessing
    shape: tuple[int, int, int]
    fingerprint: str

    @property
    def color_mode(self) -> ColorMode:
        """Of the pictures that it takes."""
        return "RGB" if self.shape[2] == 3 else "L"

    def classifier(self, classes: int, *, frozen: bool) -> keras.Sequential:
        """A new network on a copy of it, from pixels divided by 255 to probabilities.

        Args:
            classes: K.
            frozen: the backbone learns nothing. Where it does, its normalisations stay as they are: the means of a
                few pictures at a time would undo what it has learnt (Keras' guide to transfer learning).
        """
        # Built in float32 whatever the policy of the process is; a copy, since training changes weights.
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
        """From pixels / 255 to what the backbone takes: no Lambda, so that the kept file can be loaded anywhere."""
        rule, channels = self.preprocessing, self.shape[2]
        mean, std = (np.broadcast_to(values, channels).astype(np.float64) for values in (rule.mean, rule.std))
        scale, offset = (255 / std).tolist(), (-mean / std).tolist()
        if len(set(scale)) == 1:
            scale = scale[0]
        if len(set(offset)) == 1:
            offset = offset[0]
        layers: list[keras.Layer] = []
        if rule.order == "BGR":
            # A fixed 1x1 convolution turns the order of the channels round.
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
    """Opens what ``--backbone`` names.

    Args:
        asked: a key of :data:`NAMED`, or the path of a ``.keras`` or ``.h5`` file.
        size: (height, width) that pictures are to have; None leaves it to the network.
        color_mode: that is asked for; None leaves it to the network.
        preprocessing: what ``--preprocessing`` says of pixels; None where nothing does.

    Raises:
        ImportRefusedError: it cannot be had or read, holds code, is no network of pictures, takes pictures of another
            shape, or does not say what it expects of pixels.
    """
    named = NAMED.get(asked)
    path = Path(asked)
    if named is None and path.suffix.lower() not in (".keras", ".h5", ".hdf5"):
        raise ImportRefusedError(
            f"--backbone {asked}: {', '.join(NAMED)} or a Keras file (.keras, .h5) can be one; PyTorch and ONNX files "
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
    return Backbone(origin, body, rule.value, shape, digest.hexdigest())


def _application(asked: str, named: str) -> keras.Model:
    make = getattr(keras.applications, named)
    try:
        with warnings.catch_warnings(action="ignore"):  # that weights for 224 pixels are used at other sizes too
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
    """(H, W, C) of the pictures: what the network takes, and where it takes any, what is asked for."""
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
    """The network up to its last feature map that has more than one place, or to its answer where that is a map."""
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
            f"--backbone {asked}: no layer before its last feature map has learnt anything. Where its convolutions are "
            "a model inside the model, save that inner one and give its file"
        )
    return body


def _maps(network: keras.Model) -> list[keras.KerasTensor]:
    """Every tensor [N, H, W, C] that a layer takes or makes, in order; those inside nested models are not reached."""
    found: dict[int, keras.KerasTensor] = {}
    for layer in network.layers:
        # What a nested model calls its input and output belongs to its own graph.
        for kind in () if isinstance(layer, keras.Model) else ("input", "output"):
            try:
                tensors = getattr(layer, kind)
            except (AttributeError, ValueError):  # a layer that is used twice, or has no call of its own
                continue
            for tensor in tensors if isinstance(tensors, list | tuple) else [tensors]:
                if isinstance(tensor, keras.KerasTensor) and len(tensor.shape) == 4:
                    found.setdefault(id(tensor), tensor)
    if isinstance(network.outputs[0], keras.KerasTensor) and len(network.outputs[0].shape) == 4:
        found.pop(id(network.outputs[0]), None)
        found[id(network.outputs[0])] = network.outputs[0]
    return list(found.values())
