"""How ``/predict`` stands in the OpenAPI document."""

from typing import Any

from service.api.described_parameters import PARAMETERS, form, query_parameter
from service.api.operation import BINARY, PICTURE_BODIES, SERVER_TIMING, TIMEOUT_HEADER, Operation, reference
from service.api.schemas import EncodedImages, PredictionAnswer
from service.decoding import NPY_MEDIA_TYPE

_ANSWER: dict[str, Any] = {
    "description": "One prediction a picture, in the order sent.",
    "content": {
        "application/json": {"schema": reference(PredictionAnswer)},
        NPY_MEDIA_TYPE: {"schema": {**BINARY, "description": "float32 [N, K]"}},
    },
    "headers": SERVER_TIMING,
}
_DESCRIPTION = """\
Send one picture as the body, many as `file` parts of a form or as base64 in JSON, or a whole array of pixels. A body
without a Content-Type is taken for a picture. The parameters may stand in the query, in fields of a form or in
members of the JSON; where one stands in two places, it must be the same.
Each picture gets its most probable label and, of models with up to 100 labels, every label's calibrated probability, in
the order sent. With `on_error=report` a bad picture gets an error in its place.
What was done to a picture that a person should know, or what may be wrong with it, stands in `warnings`, only where
there is something to say.
With `Accept: application/x-npy` the answer is the bare float32 [N, K] array."""


_LISTED = tuple(name for name in PARAMETERS if name not in ("model", "version"))
_FILES: dict[str, Any] = {
    "type": "array",
    "items": BINARY,
    "minItems": 1,
    "description": "One picture or many, each a part of this name.",
}


def _body(names: tuple[str, ...]) -> dict[str, Any]:
    """The four kinds of body; the fields of the form are those of the query, since what the path says is said."""
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
