"""The description of ``/predict`` in the OpenAPI document."""

from typing import Any

from service.api.described_parameters import PARAMETERS, form, query_parameter
from service.api.operation import BINARY, PICTURE_BODIES, SERVER_TIMING, TIMEOUT_HEADER, Operation, reference
from service.api.schemas import EncodedImages, PredictionAnswer
from service.decoding import NPY_MEDIA_TYPE

_ANSWER: dict[str, Any] = {
    "description": "One prediction per picture, in the order sent.",
    "content": {
        "application/json": {"schema": reference(PredictionAnswer)},
        NPY_MEDIA_TYPE: {"schema": {**BINARY, "description": "float32 [N, K]"}},
    },
    "headers": SERVER_TIMING,
}
_DESCRIPTION = """\
Send one picture as the body, many as `file` parts of a form or as base64 in JSON, or a whole array of pixels. A body
without a Content-Type is read as a picture. The parameters may be in the query, in fields of a form or in members of
the JSON; a parameter that is given in two places must have the same value in both.
Each picture gets, in the order sent, its most probable label and, from models with up to 100 labels, every label's
calibrated probability. With `on_error=report` a bad picture gets an error instead.
`warnings` says how a picture was changed before classification, or what may be wrong with it. It is left out where
there is no warning.
With `Accept: application/x-npy` the answer is the bare float32 [N, K] array."""


_LISTED = tuple(name for name in PARAMETERS if name not in ("model", "version"))
_FILES: dict[str, Any] = {
    "type": "array",
    "items": BINARY,
    "minItems": 1,
    "description": "One picture or many, each a part of this name.",
}


def _body(names: tuple[str, ...]) -> dict[str, Any]:
    """The four kinds of body. The form has the fields of the query: a model in the path is not a field again."""
    return {
        "required": True,
        "description": "PNG, JPEG, WebP, BMP, GIF, TIFF, AVIF or HEIC of any size, or pixels as the model takes them.",
        "content": {
            "multipart/form-data": {"schema": form(_FILES, names)},
            **PICTURE_BODIES,
            "application/json": {"schema": reference(EncodedImages)},
            NPY_MEDIA_TYPE: {"schema": {**BINARY, "description": "uint8 [N, H, W, C], as numpy.save writes it."}},
        },
    }


def _operation(path: str, operation_id: str, summary: str, *names: str) -> Operation:
    return Operation(
        path,
        operation_id,
        summary,
        _DESCRIPTION,
        tag="predict",
        parameters=(*map(query_parameter, names), TIMEOUT_HEADER),
        body=_body(names),
        answer=_ANSWER,
        bodies=(EncodedImages,),
        answers=(PredictionAnswer,),
    )


PREDICT_OPERATIONS = (
    _operation("/predict", "predict", "Classify pictures", *_LISTED, "model", "version"),
    _operation("/models/{name}/predict", "predict_with_model", "Classify pictures with a model", *_LISTED, "version"),
    _operation(
        "/models/{name}/versions/{version}/predict",
        "predict_with_version",
        "Classify pictures with a version of a model",
        *_LISTED,
    ),
)
