"""The precision of training: 16 bits where a GPU has units for it, else 32. Exported files compute in 32 bits.

::

    devices -> policy -> the float32 network, copied under that policy -> training
                         the float32 network again <- its weights, which are float32 in both
"""

from collections.abc import Sequence
from typing import Final, Literal

import keras
import tensorflow as tf

Policy = Literal["float32", "mixed_float16", "mixed_bfloat16"]

_LEAST_CAPABILITY: Final = (7, 0)
"""Compute capability from which on NVIDIA's GPUs have tensor cores (docs.nvidia.com, "Train With Mixed Precision")."""


def gpu_capabilities() -> list[tuple[int, int] | None]:
    """The compute capability of each GPU that TensorFlow sees; None for a GPU that does not report it."""
    details = (tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU"))
    return [detail.get("compute_capability") for detail in details]


def policy_for(capabilities: Sequence[tuple[int, int] | None]) -> Policy:
    """Mixed precision where it is faster on every GPU; float32 on a CPU, or where a GPU is older or not known.

    ``mixed_bfloat16`` is faster on CPUs with AVX512-BF16, but is never chosen here: a recipe is to give the same
    weights on any CPU of a kind.

    Args:
        capabilities: of each GPU; empty on a machine without GPUs.
    """
    gains = bool(capabilities) and all(found is not None and found >= _LEAST_CAPABILITY for found in capabilities)
    return "mixed_float16" if gains else "float32"


def under(policy: Policy, network: keras.Sequential) -> keras.Sequential:
    """A copy of a network with the same weights, computed under a policy.

    The last layer stays in float32, since a softmax in 16 bits loses small probabilities. So do layers that scale
    pixels, and a first convolution that does not learn, with its normalisation: that convolution whitens, which
    subtracts nearly equal pixels.
    """
    exact = [network.layers[-1].name]
    if isinstance(network.layers[0], keras.layers.Conv2D) and not network.layers[0].trainable:
        exact += [layer.name for layer in network.layers[:2]]

    def copied(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        is_exact = isinstance(layer, keras.layers.InputLayer | keras.layers.Rescaling | keras.layers.Normalization)
        if "dtype" in config and not is_exact and layer.name not in exact:
            config["dtype"] = policy
        return type(layer).from_config(config)

    copy: keras.Sequential = keras.models.clone_model(network, clone_function=copied, recursive=True)
    for theirs, ours in zip(_flat(network), _flat(copy), strict=True):
        ours.trainable = theirs.trainable
    copy.set_weights(network.get_weights())
    return copy


def _flat(network: keras.Model) -> list[keras.Layer]:
    return [part for layer in network.layers for part in [layer, *(_flat(layer) if hasattr(layer, "layers") else [])]]
