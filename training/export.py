"""A Keras network becomes an ONNX file that answers the same, says what it is, and is proved to do both."""

import keras
import numpy as np
import onnx
import tf2onnx

from contract import FEATURES_NAME, INPUT_NAME, OPSET, OUTPUT_NAME
from training.batches import as_network_input
from training.calibrate import logits_of
from training.data.dataset import LabelledImages
from training.errors import ExportError
from training.importing import tensorflow_graph
from training.onnx_classifier import OnnxClassifier
from training.served_graph import on_backbone, served_function
from training.temperature import softmax

PARITY_TOLERANCE = 1e-5
"""How far ONNX Runtime may be from Keras, as a probability: rounding in float32, and nothing else."""

BACKBONE_TOLERANCE = 1e-4
"""The same of a network on a backbone: ten times as many layers, some of which compute in another order."""

_PARITY_BATCHES = (1, 7, 256)


def to_onnx(network: keras.Sequential, temperature: float, *, mirrored_view: bool = False) -> onnx.ModelProto:
    """Converts a network.

    Args:
        network: takes pixels divided by 255, float32 [N, H, W, C], and answers probabilities.
        temperature: to divide the logits by.
        mirrored_view: answer from the mean logits of each picture and its mirror image.

    Returns:
        A graph that takes uint8 pixels; checked by ONNX's own checker; without metadata.

    Raises:
        ExportError: a layer has no served form.
    """
    function = served_function(network, temperature, mirrored_view=mirrored_view)
    model: onnx.ModelProto
    if on_backbone(network):
        model = tensorflow_graph.to_onnx(function.get_concrete_function(), network.name)
        _name_tensors(model.graph)
    else:
        model, _ = tf2onnx.convert.from_function(function, input_signature=function.input_signature, opset=OPSET)
    outputs = {value.name: value for value in model.graph.output}
    if [value.name for value in model.graph.input] != [INPUT_NAME] or outputs.keys() != {OUTPUT_NAME, FEATURES_NAME}:
        raise ExportError(
            f"the converter named the tensors {[value.name for value in model.graph.input]}, {[*outputs]}"
        )
    del model.graph.output[:]
    model.graph.output.extend([outputs[OUTPUT_NAME], outputs[FEATURES_NAME]])
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    # Shapes in between carry the converter's own name for the batch; ONNX Runtime infers them anew.
    del model.graph.value_info[:]
    model.graph.name = network.name
    model.producer_name = "convoy"
    model.producer_version = ""
    model.graph.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return model


def _name_tensors(graph: onnx.GraphProto) -> None:
    """Gives the tensors the contract's names, which a graph that was converted without them lacks."""
    names = {graph.input[0].name: INPUT_NAME}
    for value in graph.output:
        names[value.name] = FEATURES_NAME if len(value.type.tensor_type.shape.dim) == 4 else OUTPUT_NAME
    for value in (*graph.input, *graph.output):
        value.name = names[value.name]
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]


def check_parity(
    model: onnx.ModelProto, network: keras.Sequential, images: LabelledImages, *, mirrored_view: bool = False
) -> float:
    """Compares ONNX Runtime with Keras at batch sizes 1, 7 and 256.

    Args:
        model: uncalibrated (temperature 1), as Keras is.
        network: what it was made from.
        images: to compare on.
        mirrored_view: whether the model answers the mean of both views.

    Returns:
        The largest difference of a probability.

    Raises:
        ExportError: it is above 1e-5 (on a backbone: 1e-4), or a most probable class differs.
    """
    tolerance = BACKBONE_TOLERANCE if on_backbone(network) else PARITY_TOLERANCE
    inputs, _ = as_network_input(images, network.output_shape[-1])
    expected = network.predict(inputs, batch_size=256, verbose=0)
    if mirrored_view:
        expected = softmax(logits_of(network, images, mirrored_view=True))
    classifier = OnnxClassifier(model.SerializeToString())
    worst = 0.0
    for batch_size in _PARITY_BATCHES:
        answered = classifier.predict(images.pixels, batch_size)
        worst = max(worst, float(np.abs(answered - expected).max()))
        differing = int(np.sum(answered.argmax(axis=1) != expected.argmax(axis=1)))
        if worst > tolerance or differing:
            raise ExportError(
                f"ONNX Runtime differs from Keras by up to {worst:.1e} (at most {tolerance} is rounding), and "
                f"in {differing} of {len(images)} most probable classes, at batch size {batch_size}"
            )
    return worst
