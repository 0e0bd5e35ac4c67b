"""TensorFlow Serving's REST API, which is KServe's V1 protocol too.

Sources: https://www.tensorflow.org/tfx/serving/api_rest; https://kserve.github.io/website/docs/concepts/architecture/
data-plane/v1-protocol; the client of kserve 0.21 as observed. The content type is ignored, since the examples of
TensorFlow Serving send JSON with curl, whose default content type is that of a form.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match

from contract import OUTPUT_NAME
from service.api.context import context_of
from service.api.dialects.dialect import Dialect, DialectRequest, Question, Reader
from service.api.dialects.documents import (
    Document,
    Ranked,
    each,
    read_document,
    reject_others,
    reply,
    rows,
    tell_error,
    values_a_row,
)
from service.api.dialects.instances import (
    COLUMN,
    EXAMPLES,
    INSTANCES,
    PREDICTIONS,
    ROWS,
    numbers_keys,
    read_column,
    read_rows,
)
from service.api.dialects.missing import REQUESTS
from service.api.operation import Operation, json_answer
from service.api.schemas import PIXEL
from service.api.v2.routes import Name, Version
from service.api.v2.schemas import InferenceError
from service.classifier import Classification
from service.declarations import declare
from service.errors import MalformedRequestError, ModelNotFoundError
from service.http.asgi import Reply, Scope
from service.models.catalog import ModelCatalog, ServedModel

_TAG = "dialect: TF Serving, KServe V1"
_SIGNATURE = "serving_default"
_INPUT = "image"
_OK = {"error_code": "OK", "error_message": ""}
_NOT_LOADED = {
    "error_code": "UNAVAILABLE",
    "error_message": "the last attempt to load this version failed; POST /v2/repository/index says why",
}
_PREDICT_RIGHT = 'send {"instances": [{"b64": "<base64>"}, ...]}'
_CLASSIFY_RIGHT = 'send {"examples": [{"image": {"b64": "<base64>"}}, ...]}'


class _ModelRoute(APIRoute):
    """A GET route that matches no path with a colon: a verb such as ``:predict`` has its own route."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.NONE, {}) if ":" in scope["path"] else super().matches(scope)


router = APIRouter(prefix="/v1/models", tags=[_TAG], route_class=_ModelRoute)


def read_predict(request: DialectRequest) -> Question:
    """Reads ``:predict``: rows in ``instances``, or columns in ``inputs``."""
    document = _read(request, ("instances", "inputs"), _PREDICT_RIGHT)
    in_rows = "instances" in document
    if in_rows == ("inputs" in document):
        raise MalformedRequestError(f"send either `instances` or `inputs`; {_PREDICT_RIGHT}")
    if in_rows:
        pictures = read_rows(document["instances"], "instances", request.max_images)
    else:
        pictures = read_column(document["inputs"], "inputs", request.max_images)

    def write(result: Classification) -> Reply:
        return reply({"predictions" if in_rows else "outputs": rows(result)})

    return Question(pictures, write, *_model(request))


def read_classify(request: DialectRequest) -> Question:
    """Reads ``:classify``: a picture in each of ``examples``."""
    document = _read(request, ("examples", "context"), _CLASSIFY_RIGHT)
    pictures = read_rows(document.get("examples"), "examples", request.max_images)

    def write(result: Classification) -> Reply:
        return reply({"result": each(result, _tell, len(result.model.metadata.class_names))})

    return Question(pictures, write, *_model(request))


def _tell(ranked: Ranked) -> list[Any]:
    return [list(pair) for pair in ranked]


def _read(request: DialectRequest, members: tuple[str, ...], right: str) -> Document:
    document = read_document(request.body, request.max_images, right, numbers_keys(request.body))
    reject_others(document, ("signature_name", *members), "member")
    signature = document.get("signature_name")
    if signature not in (None, "", _SIGNATURE):
        given = repr(signature[:32]) if isinstance(signature, str) else "not text"
        raise MalformedRequestError(f"signature_name is {given}; the model has one signature, {_SIGNATURE}")
    return document


def _model(request: DialectRequest) -> tuple[str | None, str | None, str | None]:
    """Model, version and label of a version, as the path has them."""
    steps = request.steps
    return steps.get("name"), steps.get("version"), steps.get("label")


def _catalog(request: Request) -> ModelCatalog:
    return context_of(request.scope).app.classifier.catalog


Catalog = Annotated[ModelCatalog, Depends(_catalog)]
Label = Annotated[str, Path(description="Label of a version of the model.", examples=["stable"])]


@router.get("", operation_id="tf_list_models", summary="Which models answer?")
@declare(key_scope="predict")
async def list_models(catalog: Catalog) -> dict[str, list[str]]:
    """The names of the models (KServe V1)."""
    return {"models": sorted({model.metadata.name for model in catalog})}


@router.get("/{name}", operation_id="tf_model_status", summary="Does a model answer?")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_status(request: Request, response: Response, catalog: Catalog, name: Name) -> dict[str, Any]:
    """The state of each version (TF Serving), and whether the default version is ready (KServe V1)."""
    models = catalog.versions(name)
    default = [model for model in models if model.metadata.version == catalog.default_version(name)]
    return _status(request, response, name, models, default)


@router.get("/{name}/versions/{version}", operation_id="tf_version_status", summary="Does a version answer?")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_status(
    request: Request, response: Response, catalog: Catalog, name: Name, version: Version
) -> dict[str, Any]:
    """The state of a version."""
    return _status(request, response, name, [catalog.find(name, version)])


@router.get("/{name}/labels/{label}", operation_id="tf_label_status", summary="Does a labelled version answer?")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def label_status(
    request: Request, response: Response, catalog: Catalog, name: Name, label: Label
) -> dict[str, Any]:
    """The state of the version that a label means."""
    return _status(request, response, name, [catalog.find_labelled(name, label)])


@router.get("/{name}/metadata", operation_id="tf_model_metadata", summary="What does a model take and give?")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_metadata(catalog: Catalog, name: Name) -> dict[str, Any]:
    """The signature of the default version."""
    return _metadata(catalog.find(name))


@router.get(
    "/{name}/versions/{version}/metadata",
    operation_id="tf_version_metadata",
    summary="What does a version take and give?",
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_metadata(catalog: Catalog, name: Name, version: Version) -> dict[str, Any]:
    """The signature of a version."""
    return _metadata(catalog.find(name, version))


@router.get(
    "/{name}/labels/{label}/metadata",
    operation_id="tf_label_metadata",
    summary="What does a labelled version take and give?",
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def label_metadata(catalog: Catalog, name: Name, label: Label) -> dict[str, Any]:
    """The signature of the version that a label means."""
    return _metadata(catalog.find_labelled(name, label))


def _status(
    request: Request, response: Response, name: str, models: list[ServedModel], default: list[ServedModel] | None = None
) -> Document:
    """The state of some versions, and whether the default one is ready; without ``default``, whether any is."""
    plane = context_of(request.scope).app.plane
    is_ready = plane.is_ready() and any(map(plane.is_model_ready, models if default is None else default))
    response.status_code = 200 if is_ready else 503
    return {
        "name": name,
        "ready": is_ready,
        "model_version_status": [
            {
                "version": model.metadata.version,
                "state": "AVAILABLE" if plane.is_model_ready(model) else "END",
                "status": _OK if plane.is_model_ready(model) else _NOT_LOADED,
            }
            for model in reversed(models)
        ],
    }


def _metadata(model: ServedModel) -> Document:
    metadata = model.metadata
    signature = {
        "inputs": {_INPUT: _tensor(_INPUT, "DT_UINT8", (-1, *model.target.shape))},
        "outputs": {OUTPUT_NAME: _tensor(OUTPUT_NAME, "DT_FLOAT", (-1, values_a_row(metadata)))},
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {"name": metadata.name, "signature_name": "", "version": metadata.version},
        "metadata": {"signature_def": {"signature_def": {_SIGNATURE: signature}}},
    }


def _tensor(name: str, data_type: str, shape: tuple[int, ...]) -> Document:
    dimensions = [{"size": str(size), "name": ""} for size in shape]
    return {"dtype": data_type, "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": name}


_SIGNATURE_NAME: Document = {"type": ["string", "null"], "enum": [_SIGNATURE, "", None]}
_PREDICT_DESCRIPTION = """\
The probabilities of each picture, in the order of the model's labels, which `GET /models/{name}` lists.
A model imported from a network with one sigmoid unit answers the probability of its second label alone.
An instance is `{"b64": "<base64>"}`, the same under the name of an input, or pixels as numbers.
`inputs` in place of `instances` gets `outputs`."""
ROWS_BODY: Document = {
    "type": "object",
    "required": ["instances"],
    "additionalProperties": False,
    "properties": {"signature_name": _SIGNATURE_NAME, "instances": INSTANCES},
}
_PREDICT_BODY: Document = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"signature_name": _SIGNATURE_NAME, "instances": INSTANCES, "inputs": COLUMN},
    "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
    "examples": [{"instances": [{"b64": PIXEL}]}, {"inputs": {"image": [{"b64": PIXEL}]}}],
}
_VERBS: dict[str, tuple[Reader, str, Document, Document]] = {
    "predict": (
        read_predict,
        _PREDICT_DESCRIPTION,
        _PREDICT_BODY,
        {"anyOf": [PREDICTIONS, {"type": "object", "required": ["outputs"], "properties": {"outputs": ROWS}}]},
    ),
    "classify": (
        read_classify,
        "The labels of each picture with their probabilities, the highest first.",
        {
            "type": "object",
            "required": ["examples"],
            "additionalProperties": False,
            "properties": {"signature_name": _SIGNATURE_NAME, "examples": EXAMPLES, "context": {}},
            "example": {"examples": [{"image": {"b64": PIXEL}}]},
        },
        {"type": "object", "properties": {"result": {"type": "array", "items": {"type": "array", "items": {}}}}},
    ),
}
_PLACES = {"": "", "/versions/{version}": "_version", "/labels/{label}": "_label"}


def _operations() -> tuple[tuple[Operation, Callable[[DialectRequest], Question]], ...]:
    return tuple(
        (
            Operation(
                f"/v1/models/{{name}}{place}:{verb}",
                f"tf_{verb}{suffix}",
                f"{verb.capitalize()} pictures",
                description,
                tag=_TAG,
                body={"required": True, "content": {"application/json": {"schema": body}}},
                answer=json_answer("An entry for each picture.", answer),
            ),
            read,
        )
        for verb, (read, description, body, answer) in _VERBS.items()
        for place, suffix in _PLACES.items()
    )


TF_SERVING = Dialect(
    name="tfserving",
    tag=_TAG,
    own=REQUESTS["tfserving"],
    tell=tell_error,
    error=InferenceError,
    operations=_operations(),
    router=router,
)
