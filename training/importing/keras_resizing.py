"""How pictures are resized for networks of Keras: by its data sets, and by layers of a network with an open size."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.errors import ImportRefusedError
from training.importing.resizing import CHOICES, Resizing
from training.importing.stated import Fact, Stated, Unclear

AS_KERAS = Resizing("stretch", antialias=False, crop_rounding="source-pixels")
"""As ``image_dataset_from_directory`` does by default; with ``cover``, as its ``crop_to_aspect_ratio``, and, with
``contain``, as the layer Resizing with ``pad_to_aspect_ratio``, which the data sets do in another way."""

ASSUMED_RESIZING = Fact(
    AS_KERAS, "assumed, as image_dataset_from_directory of Keras does; --resize changes it", is_assumed=True
)
_RESIZING = ("Resizing", "CenterCrop", "RandomCrop")
_SEED = 0


def as_keras_resizes(flags: Stated) -> Stated:
    """The same facts, with a stated resize rule that does not antialias, as Keras and TensorFlow do not by default."""
    said = flags.resizing
    if said is None or said.value.is_of_pillow:
        return flags
    origin = f"{said.origin}; without antialiasing, as Keras resizes, unless --antialias is given"
    rounding = AS_KERAS.with_fit(said.value.fit).crop_rounding
    rule = replace(said.value, antialias=False, crop_rounding=rounding)
    return replace(flags, resizing=Fact(rule, origin))


def size_is_open(path: Path) -> ImportRefusedError:
    """The error about a network of any size, where no size is stated."""
    return ImportRefusedError(
        f"{path}: the network leaves height and width open; say them, and how pictures are resized to them: "
        "--size 224 or 48x192, and --resize (image_dataset_from_directory of Keras does stretch by default)",
        CHOICES,
    )


def resizing_of(network: keras.Model, layers: Sequence[keras.Layer], flags: Stated, path: Path) -> Stated:
    """The resize rule and the size of a network with an open size, where its first layer but augmentation resizes.

    Args:
        network: takes [N, H, W, C] of any height and width.
        layers: of it, with those of nested models.
        flags: the facts from the command line.
        path: of the file, for messages.

    Returns:
        The two facts. The rule is unclear where layers resize in another way, and absent where none does.

    Raises:
        ImportRefusedError: ``--size`` contradicts that layer.
    """
    found = next((layer for layer in layers if type(layer).__name__ in _RESIZING), None)
    if found is None:
        return Stated()
    named = f"{type(found).__name__} {found.name!r}"
    picture = _picture(network, found.height, found.width)
    first = next(layer for layer in layers if layer is found or not _is_idle(layer, picture))
    rule = _rule(found) if found is first else None
    if rule is None or not _is_all_that_is_seen(network, found, picture):
        return Stated(
            resizing=Unclear(
                ImportRefusedError(
                    f"{path}: the network takes pictures of any size, and its layer {named} crops or resizes them in a "
                    "way that has no rule here (there is one for a first layer Resizing, bilinear, without fill_value "
                    "and antialias). Save the network without this layer, with a fixed input size, and say the rule "
                    "that comes closest to it, or say how pictures were resized before they came to this network:",
                    CHOICES,
                )
            )
        )
    size = found.height, found.width
    if flags.size is not None and flags.size.value != size and flags.resizing is None:
        raise ImportRefusedError(
            f"{path}: {flags.size.origin} says {flags.size.value[0]} x {flags.size.value[1]}, but its layer "
            f"{named} resizes pictures to {size[0]} x {size[1]}. Leave {flags.size.origin} out; or, if pictures were "
            "resized before they came to this layer, say also how: --resize"
        )
    origin = f"its layer {named}"
    return Stated(resizing=Fact(rule, origin), size=Fact(size, origin))


def _rule(layer: keras.Layer) -> Resizing | None:
    """The same rule as a layer's; None where none gives the same pixels, up to their rounding to whole levels."""
    if type(layer).__name__ != "Resizing":
        return None
    options = layer.get_config()
    if (
        options["interpolation"] != "bilinear"
        or options.get("data_format", "channels_last") != "channels_last"
        or options.get("antialias")
    ):
        return None
    if options.get("pad_to_aspect_ratio"):
        is_black = options.get("fill_mode", "constant") == "constant" and not options.get("fill_value", 0)
        return replace(AS_KERAS, fit="contain") if is_black else None
    return replace(AS_KERAS, fit="cover") if options["crop_to_aspect_ratio"] else AS_KERAS


def _picture(network: keras.Model, height: int, width: int) -> NDArray[np.float32]:
    """Pictures of noise, float32 [N, H, W, C], larger than the size that a layer makes of them."""
    shape = (2, 2 * height + 5, 3 * width + 7, network.inputs[0].shape[3])
    return np.random.default_rng(_SEED).uniform(0, 255, shape).astype(np.float32)


def _is_idle(layer: keras.Layer, picture: NDArray[np.float32]) -> bool:
    """Whether a layer leaves pictures as they are, as augmentation does outside training."""
    if type(layer).__name__ == "InputLayer":
        return True
    try:
        return np.array_equal(np.asarray(layer(picture, training=False)), picture)
    except Exception:  # noqa: BLE001  Keras raises whatever a layer does with an input that it was not made for
        return False


def _is_all_that_is_seen(network: keras.Model, layer: keras.layers.Resizing, picture: NDArray[np.float32]) -> bool:
    """Whether the network answers the same after that layer was applied, so that no other layer takes the picture."""
    try:
        whole, resized = (
            keras.tree.flatten(network(values, training=False)) for values in (picture, np.asarray(layer(picture)))
        )
    except Exception:  # noqa: BLE001  Keras raises whatever a layer does; the network is run again where this is told
        return False
    return all(np.allclose(first, second, rtol=1e-4, atol=1e-5) for first, second in zip(whole, resized, strict=True))
