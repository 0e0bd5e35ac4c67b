"""How ``/predict`` stands in the OpenAPI document."""

from typing import Any

from service.api.forms import FILE_FIELD
from service.api.operation import BINARY, PICTURE_BODIES, SERVER_TIMING, TEXT, TIMEOUT_HEADER, Operation, reference
from service.api.parameters import MOST_CHARACTERS, MOST_TOP_K, ON_ERROR, PREPARE, PROBABILITIES
from service.api.schemas import EncodedImages, PredictionAnswer
from service.decoding import NPY_MEDIA_TYPE

_NAME = {**TEXT, "maxLength": MOST_CHARACTERS}
_COUNT = {"type": "integer", "minimum": 1, "maximum": MOST_TOP_K}


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


def _query(name: str, description: str, schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    field = {"name": name, "in": "query", "description": description, "schema": schema}
    return field if example is None else {**field, "example": example}


_TOP_K = _query("top_k", "Adds the `top_k` most probable labels.", _COUNT, 3)
_PROBABILITIES = _query(
    "probabilities",
    "Which probabilities are listed: `all`; `top`, the most probable 5 or `top_k`; `none`. Where left out, `all` of "
    "models with up to 100 labels, otherwise `top`.",
    {**TEXT, "enum": list(PROBABILITIES)},
)
_ON_ERROR = _query(
    "on_error",
    "`report`: a bad picture gets an error in its place, and the others are classified. Where left out, the request "
    "is refused for one bad picture.",
    {**TEXT, "enum": list(ON_ERROR)},
)
_PREPARE = _query(
    "prepare",
    "`digit`: the strokes of a drawn or photographed digit are scaled and centred as those of MNIST are; for models of "
    "light strokes on a dark ground.",
    {**TEXT, "enum": list(PREPARE)},
)
_MIN_CONFIDENCE = _query(
    "min_confidence",
    "A picture whose most probable label is less probable gets `label` null and a `reason`. For models of which one "
    "label is right.",
    {"type": "number", "minimum": 0, "maximum": 1},
    0.5,
)
_RECEIPT = _query(
    "receipt",
    "`true`: each prediction has a `receipt` of all that makes it again, which `convoy verify` does.",
    {"type": "boolean"},
)
_COVERAGE = _query(
    "coverage",
    "Adds `label_set`, the labels of which one is right so often: one of the levels in `coverages` of `GET /models`.",
    {"type": "number", "minimum": 0, "maximum": 1},
    0.95,
)
_FAMILIARITY = _query(
    "familiarity",
    "`true`: adds the share of held-out pictures that look less familiar to the model, and a warning below 0.05.",
    {"type": "boolean"},
)
_DECISIONS = (_MIN_CONFIDENCE, _COVERAGE, _FAMILIARITY, _RECEIPT)
_LISTING = (_TOP_K, _PROBABILITIES, _ON_ERROR, _PREPARE, *_DECISIONS)
_MODEL = _query("model", "Name of the model; the default model where left out.", _NAME, "cifar10")
_VERSION = _query("version", "Version of the model; its default version where left out.", _NAME, "1")


def _body(*query: dict[str, Any]) -> dict[str, Any]:
    """The four kinds of body; the fields of the form are those of the query, since what the path says is said."""
    fields = {
        FILE_FIELD: {
            "type": "array",
            "items": BINARY,
            "minItems": 1,
            "description": "One picture or many, each a part of this name.",
        },
        # With the examples of the query: the docs page fills in both, and they must be the same.
        **{
            field["name"]: {
                **field["schema"],
                "description": field["description"],
                **({"examples": [field["example"]]} if "example" in field else {}),
            }
            for field in query
            if field
            not in (_PREPARE, _COVERAGE)  # suit some models only, so the docs page offers them once, in the query
        },
    }
    form = {"type": "object", "required": [FILE_FIELD], "properties": fields, "additionalProperties": False}
    return {
        "required": True,
        "description": "PNG, JPEG, WebP, BMP, GIF, TIFF, AVIF or HEIC of any size, or pixels as the model takes them.",
        "content": {
            "multipart/form-data": {"schema": form},
            **PICTURE_BODIES,
            "application/json": {"schema": reference(EncodedImages)},
            NPY_MEDIA_TYPE: {"schema": {**BINARY, "description": "uint8 [N, H, W, C], as numpy.save writes it."}},
        },
    }


def _operation(path: str, operation_id: str, summary: str, *query: dict[str, Any]) -> Operation:
    return Operation(
        path,
        operation_id,
        summary,
        _DESCRIPTION,
        tag="predict",
        parameters=(*query, TIMEOUT_HEADER),
        body=_body(*query),
        answer=_ANSWER,
        bodies=(EncodedImages,),
        answers=(PredictionAnswer,),
    )


PREDICT_OPERATIONS = (
    _operation("/predict", "predict", "Classify pictures", *_LISTING, _MODEL, _VERSION),
    _operation("/models/{name}/predict", "predict_with_model", "Classify pictures with a model", *_LISTING, _VERSION),
    _operation(
        "/models/{name}/versions/{version}/predict",
        "predict_with_version",
        "Classify pictures with a version of a model",
        *_LISTING,
    ),
)
