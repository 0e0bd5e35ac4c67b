"""Gives schemathesis real pictures, arrays and tensors where the schema can only say "bytes".

A schema cannot state that a tensor's data must match its shape, or that a header must be the length of a part of the
body. So requests that are meant to be valid are completed here. Requests that are meant to be wrong are not changed.
"""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import schemathesis
from hypothesis import strategies as st

SAMPLES = Path(__file__).parent.parent / "fixtures" / "samples"
PICTURES = [path.read_bytes() for path in sorted(SAMPLES.glob("*.png"))]
PATIENCE_MS = 600_000
SHAPES = {"mnist": (1, 28, 28, 1)}
CIFAR10 = (1, 32, 32, 3)
LEVEL = 0.95
"""Of coverage, which both models have."""
LENGTH_HEADER = "Inference-Header-Content-Length"


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _npy(count: int) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros((count, 32, 32, 3), np.uint8))
    return stream.getvalue()


def _lines(pictures: list[bytes]) -> bytes:
    return b"".join(json.dumps({"b64": _base64(picture)}).encode() + b"\n" for picture in pictures)


_pictures = st.sampled_from(PICTURES)
schemathesis.openapi.media_type("image/*", _pictures)
schemathesis.openapi.media_type("application/octet-stream", _pictures)
schemathesis.openapi.media_type("application/x-image", _pictures)
schemathesis.openapi.media_type("application/jsonlines", st.lists(_pictures, min_size=1, max_size=4).map(_lines))
schemathesis.openapi.media_type("application/x-npy", st.integers(1, 4).map(_npy))
schemathesis.openapi.format("binary", _pictures)
schemathesis.openapi.format("byte", _pictures.map(_base64))


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """Leaves out forms whose validity the schema cannot decide, since a form cannot be changed after it is made.

    These are valid forms that do not fit every model, and forms with an empty list: it is sent as no part at all, so
    the other parts are a valid form.
    """
    if case.media_type != "multipart/form-data" or not isinstance(case.body, dict):
        return True
    if [] in case.body.values() and any(case.body.values()):
        return False
    if case.meta.generation.mode is not schemathesis.GenerationMode.POSITIVE:
        return True
    return case.body.get("prepare") != "digit" and case.body.get("coverage", LEVEL) == LEVEL


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Gives a valid request parts that fit together, and a time limit for a slow machine."""
    limit = str((case.headers or {}).get("X-Request-Timeout-Ms", ""))
    if limit.isdecimal() and int(limit) >= 1:
        case.headers["X-Request-Timeout-Ms"] = str(max(PATIENCE_MS, int(limit)))
    if case.meta.generation.mode is not schemathesis.GenerationMode.POSITIVE:
        return
    if case.operation.path.endswith("/infer"):
        _make_inference(case)
        return
    if case.operation.path.endswith(("/predict", "/preprocess", "/explain", "/layers", "/invocations")):
        _make_prediction(case)
    if case.operation.tags[0].startswith("dialect") and isinstance(case.body, dict):
        _make_question(case)


def _make_prediction(case: Any) -> None:
    """Makes values in query and body equal; an array gets the model that it fits, and no report, which it cannot hold.

    Bytes and forms are not changed, since schemathesis would then treat them as invalid.
    """
    for name in ("prepare", "coverage"):  # `prepare` is for digits only, and `coverage` has other levels for each model
        (case.query or {}).pop(name, None)
        if isinstance(case.body, dict) and case.media_type == "application/json":
            case.body.pop(name, None)
    if case.media_type == "application/x-npy":
        (case.query or {}).pop("on_error", None)
        if "name" in (case.path_parameters or {}):
            case.path_parameters["name"] = "cifar10"
        else:
            (case.query or {}).pop("model", None)
    elif isinstance(case.body, dict):
        for name in set(case.query or ()) & set(case.body):
            del case.query[name]
        if case.media_type == "application/json" and "images" in case.body:
            in_path = {"name": "model", "version": "version"}
            said = {in_path[name] for name in case.path_parameters or ()}
            case.body = {key: value for key, value in case.body.items() if key not in said}
            case.body["images"] = [image or _base64(PICTURES[0]) for image in case.body["images"]]


def _make_question(case: Any) -> None:
    """Makes numbers fit the model and gives them one name; functions are for models with several labels only."""
    if case.media_type != "application/json":
        return
    pixels = np.zeros(SHAPES.get((case.path_parameters or {}).get("name"), CIFAR10)[1:], np.uint8).tolist()
    for member in ("instances", "inputs", "examples"):
        if member in case.body:
            case.body[member] = _with_pixels(case.body[member], pixels)
    parameters = case.body.get("parameters") or {}
    if parameters.get("function_to_apply") == "sigmoid":
        case.body["parameters"] = parameters | {"function_to_apply": "softmax"}


def _with_pixels(value: Any, pixels: list[Any]) -> Any:
    """The pictures of a request, with any pixels in them replaced by the given ones."""
    if isinstance(value, dict):
        return {"image": _with_pixels(next(iter(value.values())), pixels)}
    if not isinstance(value, list):
        return value
    elements = [next(iter(element.values())) if isinstance(element, dict) else element for element in value]
    if not isinstance(elements[0], list):
        return value
    return [{"image": pixels} if isinstance(element, dict) else pixels for element in value]


def _make_inference(case: Any) -> None:
    pixels = np.zeros(SHAPES.get(case.path_parameters["name"], CIFAR10), np.uint8)
    image: dict[str, Any] = {"name": "image", "datatype": "UINT8", "shape": pixels.shape}
    if case.media_type == "application/octet-stream":
        head = json.dumps({"inputs": [image | {"parameters": {"binary_data_size": pixels.nbytes}}]}).encode()
        case.body = head + pixels.tobytes()
        case.headers = {**(case.headers or {}), LENGTH_HEADER: str(len(head))}
        return
    case.headers.pop(LENGTH_HEADER, None)
    if (case.body.get("parameters") or {}).get("timeout"):
        case.body["parameters"]["timeout"] = PATIENCE_MS * 1000
    for tensor in case.body["inputs"]:
        tensor["parameters"] = {}
        if tensor["name"] == "image":
            tensor |= {"shape": pixels.shape, "data": pixels.ravel().tolist()}
        else:
            tensor |= {"shape": [1], "data": [_base64(PICTURES[0])]}
