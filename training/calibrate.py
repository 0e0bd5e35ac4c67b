"""The logits of a Keras network, for fitting its temperature."""

import keras
import numpy as np

from training.batches import as_network_input
from training.data.dataset import LabelledImages
from training.temperature import Logits

_BATCH = 500


def logits_of(network: keras.Sequential, images: LabelledImages, *, mirrored_view: bool = False) -> Logits:
    """The input of the network's softmax, float64 [N, K]; ``mirrored_view`` averages picture and mirror image."""
    *_, before, last = network.layers
    features = keras.Model(network.inputs, before.output)
    inputs, _ = as_network_input(images, network.output_shape[-1])
    activations = features.predict(inputs, batch_size=_BATCH, verbose=0).astype(np.float64)
    if mirrored_view:
        activations = (activations + features.predict(inputs[:, :, ::-1], batch_size=_BATCH, verbose=0)) / 2
    logits: Logits = activations @ np.asarray(last.kernel, np.float64)
    return logits + np.asarray(last.bias, np.float64) if last.use_bias else logits
