"""Small networks with a feature map and one dense layer, with known weights."""

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from contract import FEATURES_NAME, INPUT_NAME, OPSET, OUTPUT_NAME, GoldenImage
from tests.fixtures.tiny_models import tiny_metadata

SIDE, CHANNELS, CLASSES = 8, 4, 3
Head = Literal["pooled", "largest", "flat", "hidden"]


def network(head: Head, seed: int = 0, temperature: float = 1.5, name: str = "net") -> bytes:
    """A convolution, a feature map [4, 4, 4], pooling or flattening, and a dense layer; optionally one more layer."""
    random = np.random.default_rng(seed)
    kernel = random.normal(0, 0.02, (CHANNELS, 3, 2, 2)).astype(np.float32)
    inner = CHANNELS if head in {"pooled", "largest"} else CHANNELS * 16
    constants = {
        "kernel": kernel,
        "dense": random.normal(0, 0.4, (inner, CLASSES)).astype(np.float32),
        "bias": random.normal(0, 0.1, CLASSES).astype(np.float32),
        "temperature": np.float32(temperature),
        "square": random.normal(0, 0.2, (inner, inner)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", [INPUT_NAME], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["convolved"], strides=[2, 2]),
        helper.make_node("Relu", ["convolved"], [FEATURES_NAME]),
    ]
    if head in {"pooled", "largest"}:
        kind = "GlobalAveragePool" if head == "pooled" else "GlobalMaxPool"
        nodes += [
            helper.make_node(kind, [FEATURES_NAME], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["row"]),
        ]
    else:
        nodes.append(helper.make_node("Flatten", [FEATURES_NAME], ["flat"]))
        if head == "hidden":
            nodes += [
                helper.make_node("MatMul", ["flat", "square"], ["mixed"]),
                helper.make_node("Relu", ["mixed"], ["row"]),
            ]
        else:
            nodes.append(helper.make_node("Identity", ["flat"], ["row"]))
    nodes += [
        helper.make_node("MatMul", ["row", "dense"], ["weighted"]),
        helper.make_node("Add", ["weighted", "bias"], ["logits"]),
        helper.make_node("Div", ["logits", "temperature"], ["cooled"]),
        helper.make_node("Softmax", ["cooled"], [OUTPUT_NAME], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["N", CLASSES]),
            helper.make_tensor_value_info(FEATURES_NAME, TensorProto.FLOAT, ["N", CHANNELS, 4, 4]),
        ],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    golden = picture(99)
    answer = run(model.SerializeToString(), golden[np.newaxis])[0][0]
    metadata = dataclasses.replace(
        tiny_metadata(name),
        labels=("red", "green", "blue"),
        height=SIDE,
        width=SIDE,
        golden=(GoldenImage(golden.tobytes(), None, tuple(answer.tolist())),),
        features=(CHANNELS, 4, 4),
    )
    helper.set_model_props(model, metadata.to_props())
    content: bytes = model.SerializeToString()
    return content


def coloured(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures [N, 8, 8, 3] and their classes [N]: each class has a colour, on noise."""
    random = np.random.default_rng(seed)
    classes = np.arange(count, dtype=np.int64) % CLASSES
    pixels = random.integers(0, 120, (count, SIDE, SIDE, 3), np.uint8)
    pixels[np.arange(count), :, :, classes] += np.uint8(120)
    return pixels, classes


def picture(seed: int) -> NDArray[np.uint8]:
    """uint8 [8, 8, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def run(model: bytes, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """The probabilities and features of pictures."""
    import onnxruntime  # noqa: PLC0415  after the environment is set up

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    values: list[NDArray[np.float32]] = session.run(None, {INPUT_NAME: images})
    return values
