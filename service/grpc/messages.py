"""Converts messages of the inference call from and to the types that all transports share."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from service.classifier import Classification
from service.errors import MalformedRequestError
from service.grpc import open_inference_pb2 as pb
from service.open_inference import InferRequest, InputTensor, OutputTensor, RequestedOutput

_FIELDS: Mapping[str, str] = MappingProxyType({"BYTES": "bytes_contents", "UINT8": "uint_contents"})
_MOST_UINT8 = 255


def read_request(message: pb.ModelInferRequest) -> InferRequest:
    """Reads an inference request.

    Args:
        message: as received.

    Returns:
        The request; raw tensors are not copied.

    Raises:
        MalformedRequestError: its parts contradict each other.
    """
    if len(message.inputs) > 1 or len(message.outputs) > 1:  # before any is read, since there may be thousands
        raise MalformedRequestError(
            f"send one input and ask for one output; sent: {len(message.inputs)} inputs, {len(message.outputs)} outputs"
        )
    raws = message.raw_input_contents
    if raws and len(raws) != len(message.inputs):
        raise MalformedRequestError(f"{len(raws)} raw_input_contents for {len(message.inputs)} inputs")
    inputs = [_input(tensor, raws[place] if raws else None) for place, tensor in enumerate(message.inputs)]
    outputs = [_output(output, binary=bool(raws)) for output in message.outputs]
    timeout_us = _whole_number(message.parameters, "timeout")
    return InferRequest(
        inputs,
        outputs or [RequestedOutput(binary=bool(raws))],
        message.id or None,
        timeout_us / 1e6 if timeout_us else None,
    )


def write_answer(result: Classification, request: InferRequest, outputs: list[OutputTensor]) -> pb.ModelInferResponse:
    """Writes an answer; its tensors are raw if those of the request were.

    Args:
        result: the classification.
        request: from :func:`read_request`.
        outputs: one for each output that the request asks for.

    Returns:
        The message.
    """
    metadata = result.model.metadata
    answer = pb.ModelInferResponse(model_name=metadata.name, model_version=metadata.version, id=request.id or "")
    for wanted, tensor in zip(request.outputs, outputs, strict=True):
        output = answer.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if wanted.binary:
            answer.raw_output_contents.append(tensor.raw())
        elif isinstance(tensor.elements, list):
            output.contents.bytes_contents.extend(text.encode() for text in tensor.elements)
        else:
            output.contents.fp32_contents.extend(tensor.elements.ravel().tolist())
    return answer


def _input(tensor: pb.ModelInferRequest.InferInputTensor, raw: bytes | None) -> InputTensor:
    shape = tuple(tensor.shape)
    if _is_elsewhere(tensor.parameters):
        raise MalformedRequestError(f"input {tensor.name[:64]}: shared memory is not supported; send the data")
    if raw is not None:
        if tensor.HasField("contents"):
            raise MalformedRequestError(f"input {tensor.name[:64]}: it has both contents and raw_input_contents")
        return InputTensor(tensor.name, tensor.datatype, shape, raw=raw)
    _check_contents(tensor)
    if tensor.datatype == "BYTES":
        return InputTensor(tensor.name, tensor.datatype, shape, values=list(tensor.contents.bytes_contents))
    return InputTensor(tensor.name, tensor.datatype, shape, raw=_pixels(tensor))


def _output(output: pb.ModelInferRequest.InferRequestedOutputTensor, *, binary: bool) -> RequestedOutput:
    if _is_elsewhere(output.parameters):
        raise MalformedRequestError(f"output {output.name[:64]}: shared memory is not supported")
    return RequestedOutput(output.name, _whole_number(output.parameters, "classification"), binary=binary)


def _is_elsewhere(parameters: Mapping[str, Any]) -> bool:
    """Whether a tensor is to be in shared memory, and not in a message."""
    return any(key.startswith("shared_memory") for key in parameters)


def _check_contents(tensor: pb.ModelInferRequest.InferInputTensor) -> None:
    """Checks that the elements are in the field of their type, so that none are ignored."""
    field = _FIELDS.get(tensor.datatype)
    others = [descriptor.name for descriptor, _ in tensor.contents.ListFields() if descriptor.name != field]
    if field is not None and others:
        raise MalformedRequestError(
            f"input {tensor.name[:64]}: {tensor.datatype} is sent in {field}, and this has {others[0]}"
        )


def _pixels(tensor: pb.ModelInferRequest.InferInputTensor) -> bytes:
    """The elements of UINT8, each of which is a 32-bit number in the message."""
    numbers = np.fromiter(tensor.contents.uint_contents, np.uint32, len(tensor.contents.uint_contents))
    if numbers.size and numbers.max() > _MOST_UINT8:
        raise MalformedRequestError(f"input {tensor.name[:64]}: its data must be whole numbers from 0 to 255")
    return numbers.astype(np.uint8).tobytes()


def _whole_number(parameters: Mapping[str, Any], key: str) -> int:
    if key not in parameters:
        return 0
    choice = parameters[key].WhichOneof("parameter_choice")
    if choice not in ("int64_param", "uint64_param") or getattr(parameters[key], choice) < 0:
        raise MalformedRequestError(f"the parameter `{key}` must be a whole number from 0 up")
    return int(getattr(parameters[key], choice))
