"""Converts a Keras network to an ONNX graph, and checks that both give the same answers."""

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
"""Largest allowed difference of a probability between ONNX Runtime and Keras: float32 rounding, and nothing else."""

BACKBONE_TOLERANCE = 1e-4
"""The same for a network on a backbone: it has ten times as many layers, and some of them compute in another order."""

_PARITY_BATCHES = (1, 7, 256)


def to_onnx(network: keras.Sequential, temperature: float, *, mirrored_view: bool = False) -> onnx.ModelProto:
    """Converts a network.

    Args:
        network: takes pixels divided by 255, float32 [N, H, W, C], and answers probabilities.
        temperature: the divisor of the logits.
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
    # Shapes of intermediate tensors hold the converter's name for the batch; ONNX Runtime infers them again.
    del model.graph.value_info[:]
    model.graph.name = network.name
    model.producer_name = "convoy"
    model.producer_version = ""
    model.graph.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return model


def _name_tensors(graph: onnx.GraphProto) -> None:
    """Gives the input and the outputs the contract's names, which this converter does not keep."""
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
        network: the Keras network that the model was made from.
        images: the pictures to compare on.
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
