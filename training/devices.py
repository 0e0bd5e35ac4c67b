"""Chooses how TensorFlow spreads training: over several GPUs, or on one GPU or the CPU."""

from collections.abc import Sequence

import tensorflow as tf


def strategy(devices: Sequence[str] | None = None) -> tf.distribute.Strategy:
    """The TensorFlow strategy that spreads a training step over devices.

    Args:
        devices: TensorFlow device names such as ``GPU:0``; None takes every GPU that TensorFlow sees.

    Returns:
        Synchronous data parallelism over several devices (each takes its share of every batch), or TensorFlow's
        default, which places everything on the one GPU, or on the CPU where there is none.
    """
    if devices is None:
        devices = [gpu.name.removeprefix("/physical_device:") for gpu in tf.config.list_physical_devices("GPU")]
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy(list(devices))
    return tf.distribute.get_strategy()
