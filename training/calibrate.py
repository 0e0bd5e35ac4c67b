"""The logits of a Keras network, which its temperature is fitted on."""

import keras
import numpy as np

from training.batches import as_network_input
from training.data.dataset import LabelledImages
from training.temperature import Logits

_BATCH = 500


def logits_of(network: keras.Sequential, images: LabelledImages) -> Logits:
    """What the network's softmax receives, float64 [N, K]."""
    *_, before, last = network.layers
    features = keras.Model(network.inputs, before.output)
    inputs, _ = as_network_input(images, network.output_shape[-1])
    activations = features.predict(inputs, batch_size=_BATCH, verbose=0).astype(np.float64)
    logits: Logits = activations @ np.asarray(last.kernel, np.float64) + np.asarray(last.bias, np.float64)
    return logits
