"""The Open Inference Protocol v2, independent of the transport: REST (`service/api/v2/`) and gRPC (`service/grpc/`).

::

    inputs -> tensors.read_images -> Images ─> classifier ─> probabilities -> tensors.OutputTensor -> outputs

A model has two inputs, of which a request sends one: ``image``, pixels as the graph takes them, and ``encoded``, files
that the service decodes. It has one output, ``probabilities``, which is sent as numbers or, where a classification is
asked for, as its most probable labels.

Source: https://github.com/kserve/open-inference-protocol, and Triton's extensions to it (binary tensor data,
classification, model repository, model configuration, statistics).
"""

from service.open_inference.inference import LONGEST_ID, InferRequest, RequestedOutput, infer, make_outputs, prepare
from service.open_inference.tensors import InputTensor, OutputTensor

__all__ = [
    "LONGEST_ID",
    "InferRequest",
    "InputTensor",
    "OutputTensor",
    "RequestedOutput",
    "infer",
    "make_outputs",
    "prepare",
]
