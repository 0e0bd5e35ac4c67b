"""Bodies of ``infer``: a JSON document, and behind it, where the client chose so, tensors as raw bytes.

::

    { "inputs": [{ ..., "parameters": {"binary_data_size": n} }] } | n bytes | ...
      └── as long as Inference-Header-Content-Length says ───────┘

Source: Triton's binary tensor data extension of the Open Inference Protocol.
"""

from typing import Any

import orjson

from service.classifier import Classification
from service.errors import MalformedRequestError
from service.http.asgi import Headers, Reply
from service.open_inference import InferRequest, InputTensor, OutputTensor, RequestedOutput

LENGTH_HEADER = b"inference-header-content-length"

_Object = dict[str, Any]


def parse(body: bytes, json_length: bytes | None) -> InferRequest:
    """Reads a request.

    Args:
        body: whole.
        json_length: the value of ``Inference-Header-Content-Length``; None where the body is JSON alone.

    Returns:
        The request; raw tensors are views into ``body``.

    Raises:
        MalformedRequestError: not the JSON that it should be, or lengths that do not add up.
    """
    view = memoryview(body)
    document, raw = _split(view, json_length)
    binary_output = _flag(_object(document, "parameters"), "binary_data_output")
    inputs, offset = [], 0
    for entry in _objects(document, "inputs"):
        tensor = _input(entry, raw[offset:])
        offset += len(tensor.raw) if tensor.raw is not None else 0
        inputs.append(tensor)
    if offset != len(raw):
        raise MalformedRequestError(f"{len(raw)} raw bytes follow the JSON; its inputs account for {offset}")
    outputs = [_output(entry, binary=binary_output) for entry in _objects(document, "outputs", may_lack=True)]
    request_id = document.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise MalformedRequestError("`id` must be text")
    timeout_us = _whole_number(_object(document, "parameters"), "timeout")
    return InferRequest(
        inputs,
        outputs or [RequestedOutput(binary=binary_output)],
        request_id,
        timeout_us / 1e6 if timeout_us else None,
    )


def serialise(result: Classification, request: InferRequest, outputs: list[OutputTensor], headers: Headers) -> Reply:
    """Writes an answer.

    Args:
        result: to be told.
        request: as read.
        outputs: one for each that the request wants.
        headers: further headers.

    Returns:
        The answer to send.
    """
    entries, raws = [], []
    for wanted, tensor in zip(request.outputs, outputs, strict=True):
        entry: _Object = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if wanted.binary:
            raws.append(tensor.raw())
            entry["parameters"] = {"binary_data_size": len(raws[-1])}
        else:
            entry["data"] = tensor.flat()
        entries.append(entry)
    metadata = result.model.metadata
    document: _Object = {"model_name": metadata.name, "model_version": metadata.version, "outputs": entries}
    if request.id is not None:
        document["id"] = request.id
    head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not raws:
        return Reply(200, head, b"application/json", headers)
    headers.append((LENGTH_HEADER, b"%d" % len(head)))
    return Reply(200, b"".join((head, *raws)), b"application/octet-stream", headers)


def _split(view: memoryview, json_length: bytes | None) -> tuple[_Object, memoryview]:
    length = len(view)
    if json_length is not None:
        if not (json_length.isdigit() and len(json_length) <= 12 and 0 < int(json_length) <= length):
            raise MalformedRequestError(
                f"Inference-Header-Content-Length is {json_length[:16].decode('latin-1')!r}; it must be the length of "
                f"the JSON at the start of this body of {length} bytes"
            )
        length = int(json_length)
    try:
        document = orjson.loads(view[:length])
    except ValueError as error:
        where = "the body is" if json_length is None else f"the first {length} bytes of the body are"
        raise MalformedRequestError(f"{where} not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedRequestError("the JSON must be an object with `inputs`")
    return document, view[length:]


def _input(entry: _Object, rest: memoryview) -> InputTensor:
    name, datatype, shape, values = (entry.get(key) for key in ("name", "datatype", "shape", "data"))
    if not (isinstance(name, str) and isinstance(datatype, str)):
        raise MalformedRequestError("each of `inputs` must have the texts `name` and `datatype`")
    sizes = [_whole(size) for size in shape] if isinstance(shape, list) else [None]
    if None in sizes:
        raise MalformedRequestError(f"input {name[:64]}: `shape` must be a list of whole numbers from 0 up")
    parameters = _object(entry, "parameters")
    if (size := _whole_number(parameters, "binary_data_size")) is not None:
        if values is not None:
            raise MalformedRequestError(f"input {name[:64]}: it has both `data` and `binary_data_size`")
        if size > len(rest):
            raise MalformedRequestError(f"input {name[:64]}: it promises {size} raw bytes, {len(rest)} are left")
        return InputTensor(name, datatype, tuple(size for size in sizes if size is not None), raw=rest[:size])
    if any(key.startswith("shared_memory") for key in parameters):
        raise MalformedRequestError(f"input {name[:64]}: shared memory is not spoken here; send the data")
    if not isinstance(values, list):
        raise MalformedRequestError(f"input {name[:64]}: it has neither a list `data` nor `binary_data_size`")
    return InputTensor(name, datatype, tuple(size for size in sizes if size is not None), values=values)


def _output(entry: _Object, *, binary: bool) -> RequestedOutput:
    name = entry.get("name")
    if not isinstance(name, str):
        raise MalformedRequestError("each of `outputs` must have the text `name`")
    parameters = _object(entry, "parameters")
    if any(key.startswith("shared_memory") for key in parameters):
        raise MalformedRequestError(f"output {name[:64]}: shared memory is not spoken here")
    classes = _whole_number(parameters, "classification") or 0
    return RequestedOutput(name, classes, _flag(parameters, "binary_data", default=binary))


def _objects(document: _Object, key: str, *, may_lack: bool = False) -> list[_Object]:
    value = document.get(key)
    if value is None and may_lack:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedRequestError(f"`{key}` must be a list of objects")
    return value


def _object(owner: _Object, key: str) -> _Object:
    value = owner.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedRequestError(f"`{key}` must be an object")
    return value


def _flag(parameters: _Object, key: str, *, default: bool = False) -> bool:
    value = parameters.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise MalformedRequestError(f"the parameter `{key}` must be true or false")
    return value


def _whole_number(parameters: _Object, key: str) -> int | None:
    value = parameters.get(key)
    number = _whole(value)
    if value is not None and number is None:
        raise MalformedRequestError(f"the parameter `{key}` must be a whole number from 0 up")
    return number


def _whole(value: Any) -> int | None:
    """A number of JSON without a fraction, from 0 up, as an int; None for anything else, true among it."""
    is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if is_whole and value >= 0 else None
