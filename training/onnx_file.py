"""An ONNX graph and what it says about itself, as one file. Needs no TensorFlow."""

import onnx

from contract import ModelMetadata


def with_metadata(model: onnx.ModelProto, metadata: ModelMetadata) -> bytes:
    """The file's content: the graph, and what it says about itself.

    Raises:
        ContractError: the metadata contradicts itself.
    """
    complete = onnx.ModelProto()
    complete.CopyFrom(model)
    onnx.helper.set_model_props(complete, metadata.to_props())
    content: bytes = complete.SerializeToString()
    return content
