"""Reads and writes bodies of ``infer``: a JSON document which tensors as raw bytes may follow.

::

    { "inputs": [{ ..., "parameters": {"binary_data_size": n} }] } | n bytes | ...
      └── as long as Inference-Header-Content-Length says ───────┘

Lists of numbers are cut out of the JSON, and the elements of the rest are counted before it is parsed, so that no
request makes more Python objects than a normal one needs.

Source: Triton's binary tensor data extension of the Open Inference Protocol.
"""

from typing import Any

from service.api.json_writing import in_steps, write
from service.classifier import Classification
from service.decoding import BoundedJson, LongText, NumberList
from service.errors import MalformedRequestError, TooLargeError
from service.http.asgi import Headers, Reply
from service.open_inference import LONGEST_ID, InferRequest, InputTensor, OutputTensor, RequestedOutput

LENGTH_HEADER = b"inference-header-content-length"
_OTHER_ELEMENTS = 256

_Object = dict[str, Any]


def parse(body: bytes, json_length: bytes | None, max_images: int) -> InferRequest:
    """Reads a request.

    Args:
        body: the whole body.
        json_length: the value of ``Inference-Header-Content-Length``; None where the body is JSON alone.
        max_images: most pictures allowed; a body that can hold more is refused before it is parsed.

    Returns:
        The request; raw tensors are views into ``body``.

    Raises:
        MalformedRequestError: the JSON is not valid, or the lengths do not match the body.
        TooLargeError: more elements than a request needs.
    """
    text, raw = _split(body, json_length)
    bounded = BoundedJson(text, "data")
    # Each picture may be in a list of its own, and may be a data URL, which contains a comma.
    if bounded.has_more(b",[{", 3 * max_images + _OTHER_ELEMENTS):
        raise TooLargeError(
            f"the JSON has more elements than one input of {max_images} images needs; send pixels as a list of "
            "numbers, or as raw bytes after the JSON (binary tensor data)"
        )
    if bounded.is_long(max_images):
        raise TooLargeError("the JSON is longer than its tensors need; it holds too many blanks or digits")
    where = "the body is" if json_length is None else f"the first {len(text)} bytes of the body are"
    document = bounded.parse(where)
    if not isinstance(document, dict):
        raise MalformedRequestError("the JSON must be an object with `inputs`")
    if (name := bounded.repeated_member(document)) is not None:
        raise MalformedRequestError(f"the JSON's member {name[:64]!r} is given twice in one object")
    parameters = _object(document, "parameters")
    binary_output = _flag(parameters, "binary_data_output")
    inputs, offset = [], 0
    for entry in _objects(document, "inputs"):
        tensor = _input(entry, raw[offset:])
        offset += len(tensor.raw) if tensor.raw is not None else 0
        inputs.append(tensor)
    if offset != len(raw):
        raise MalformedRequestError(f"{len(raw)} raw bytes follow the JSON; its inputs account for {offset}")
    outputs = [_output(entry, binary=binary_output) for entry in _objects(document, "outputs", may_lack=True)]
    timeout_us = _whole_number(parameters, "timeout")
    return InferRequest(
        inputs,
        outputs or [RequestedOutput(binary=binary_output)],
        _id(document.get("id")),
        timeout_us / 1e6 if timeout_us else None,
    )


def serialise(result: Classification, request: InferRequest, outputs: list[OutputTensor], headers: Headers) -> Reply:
    """Writes an answer.

    Args:
        result: the classification.
        request: from :func:`parse`.
        outputs: one for each output that the request asks for.
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
            entry["data"] = in_steps(tensor.flat())
        entries.append(entry)
    metadata = result.model.metadata
    document: _Object = {"model_name": metadata.name, "model_version": metadata.version, "outputs": entries}
    if request.id is not None:
        document["id"] = request.id
    head = write(document)
    if not raws:
        return Reply(200, head, b"application/json", headers)
    headers.append((LENGTH_HEADER, b"%d" % len(head)))
    return Reply(200, b"".join((head, *raws)), b"application/octet-stream", headers)


def _split(body: bytes, json_length: bytes | None) -> tuple[bytes, memoryview]:
    length = len(body)
    if json_length is not None:
        if not (json_length.isdigit() and len(json_length) <= 12 and 0 < int(json_length) <= length):
            raise MalformedRequestError(
                f"Inference-Header-Content-Length is {json_length[:16].decode('latin-1')!r}; it must be the length of "
                f"the JSON at the start of this body of {length} bytes"
            )
        length = int(json_length)
    return body[:length], memoryview(body)[length:]


def _input(entry: _Object, rest: memoryview) -> InputTensor:
    name, datatype, shape, values = (entry.get(key) for key in ("name", "datatype", "shape", "data"))
    if not (isinstance(name, str) and isinstance(datatype, str)):
        raise MalformedRequestError("each of `inputs` must have the texts `name` and `datatype`")
    sizes = [_whole(size) for size in shape] if isinstance(shape, list) else [None]
    if None in sizes:
        raise MalformedRequestError(f"input {name[:64]}: `shape` must be a list of whole numbers from 0 up")
    whole_shape = tuple(size for size in sizes if size is not None)
    parameters = _object(entry, "parameters")
    if (size := _whole_number(parameters, "binary_data_size")) is not None:
        if values is not None:
            raise MalformedRequestError(f"input {name[:64]}: it has both `data` and `binary_data_size`")
        if size > len(rest):
            raise MalformedRequestError(f"input {name[:64]}: it promises {size} raw bytes, {len(rest)} are left")
        return InputTensor(name, datatype, whole_shape, raw=rest[:size])
    if any(key.startswith("shared_memory") for key in parameters):
        raise MalformedRequestError(f"input {name[:64]}: shared memory is not supported; send the data")
    if isinstance(values, NumberList):
        return InputTensor(name, datatype, whole_shape, numbers=values)
    if not isinstance(values, list):
        raise MalformedRequestError(f"input {name[:64]}: it has neither a list `data` nor `binary_data_size`")
    return InputTensor(name, datatype, whole_shape, values=values)


def _output(entry: _Object, *, binary: bool) -> RequestedOutput:
    name = entry.get("name")
    if not isinstance(name, str):
        raise MalformedRequestError("each of `outputs` must have the text `name`")
    parameters = _object(entry, "parameters")
    if any(key.startswith("shared_memory") for key in parameters):
        raise MalformedRequestError(f"output {name[:64]}: shared memory is not supported")
    classes = _whole_number(parameters, "classification") or 0
    return RequestedOutput(name, classes, _flag(parameters, "binary_data", default=binary))


def _id(value: Any) -> str | None:
    if isinstance(value, LongText):
        raise MalformedRequestError(f"`id` is longer than the {LONGEST_ID} characters that are given back")
    if value is not None and not isinstance(value, str):
        raise MalformedRequestError("`id` must be text")
    return value


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
    """A JSON number without a fraction, from 0 up, as an int. None for anything else; true is not a number."""
    is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if is_whole and value >= 0 else None
