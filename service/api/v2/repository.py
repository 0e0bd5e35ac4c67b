"""The model repository extension: lists the models and, where it is allowed, loads and unloads them."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ValidationError

from service.api.context import context_of
from service.api.requests import read_body, read_headers
from service.api.v2.routes import Name, Plane
from service.api.v2.schemas import (
    ModelControlAnswer,
    ModelControlRequest,
    RepositoryEntry,
    RepositoryIndexRequest,
)
from service.declarations import declare
from service.decoding import BoundedJson
from service.errors import (
    MalformedRequestError,
    ModelControlOffError,
    ModelNotFoundError,
    ModelRefusedError,
    OverloadedError,
    ProviderUnavailableError,
    SlowBodyError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from service.http.connection import Connection
from service.open_inference.dataplane import DataPlane

_MAX_DOCUMENT_BYTES = 65_536
_TIMEOUT_S = 10.0
_BODY_ERRORS = (MalformedRequestError, SlowBodyError, TooLargeError, UnsupportedMediaTypeError, OverloadedError)

Document = TypeVar("Document", bound=BaseModel)

router = APIRouter(prefix="/v2/repository", tags=["model repository"])


def find_controlled_plane(plane: Plane) -> DataPlane:
    """Returns the data plane, if requests may load and unload models.

    Raises:
        ModelControlOffError: requests may not do so.
    """
    plane.require_control()
    return plane


ControlledPlane = Annotated[DataPlane, Depends(find_controlled_plane)]


async def read_document(request: Request, kind: type[Document]) -> Document:
    """Reads a JSON body with any Content-Type, since clients of the protocol send none.

    Args:
        request: an empty body counts as an empty document.
        kind: the model of the document.

    Returns:
        The document.

    Raises:
        MalformedRequestError: it is not such a document.
    """
    headers = read_headers(request.scope)
    try:
        with Connection(request.receive, context_of(request.scope).app.budget) as connection:
            body = await read_body(connection, headers, _MAX_DOCUMENT_BYTES, _TIMEOUT_S)
            return kind.model_validate(_parse(body or b"{}"), strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step)[:64] for step in fault["loc"])
        raise MalformedRequestError(f"the body{' at ' + where if where else ''}: {fault['msg']}") from None


def _parse(body: bytes) -> Any:
    bounded = BoundedJson(body)
    document = bounded.parse()
    if (name := bounded.repeated_member(document)) is not None:
        raise MalformedRequestError(f"the JSON's member {name[:64]!r} is given twice in one object")
    return document


def _body(schema: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema.__name__}"}}}
    return {"requestBody": {"required": False, "content": content}}


@router.post(
    "/index",
    operation_id="v2_repository_index",
    summary="Which models are there?",
    openapi_extra=_body(RepositoryIndexRequest),
)
@declare(key_scope="predict", errors=_BODY_ERRORS)
async def repository_index(request: Request, plane: Plane) -> list[RepositoryEntry]:
    """Every version of every model that answers or lies in the repository, with the reason where it does not answer."""
    wanted = await read_document(request, RepositoryIndexRequest)
    return [RepositoryEntry.model_validate(entry) for entry in await plane.index(only_ready=wanted.ready)]


@router.post(
    "/models/{name}/load",
    operation_id="v2_repository_load",
    summary="Load a model, or load it again",
    response_model_exclude_none=True,
    openapi_extra=_body(ModelControlRequest),
)
@declare(
    key_scope="control",
    errors=(
        *_BODY_ERRORS,
        ModelControlOffError,
        ModelNotFoundError,
        ModelRefusedError,
        ProviderUnavailableError,
    ),
)
async def load_model(request: Request, name: Name, plane: ControlledPlane) -> ModelControlAnswer:
    """Checks the file; only if it passes, it replaces the loaded version, in one step. No request is lost."""
    wanted = await read_document(request, ModelControlRequest)
    versions = await plane.load(name, wanted.parameters.version)
    return ModelControlAnswer(name=name, versions=versions, load=True)


@router.post(
    "/models/{name}/unload",
    operation_id="v2_repository_unload",
    summary="Unload a model",
    response_model_exclude_none=True,
    openapi_extra=_body(ModelControlRequest),
)
@declare(key_scope="control", errors=(*_BODY_ERRORS, ModelControlOffError, ModelNotFoundError))
async def unload_model(request: Request, name: Name, plane: ControlledPlane) -> ModelControlAnswer:
    """Removes the model; its admitted requests are still answered."""
    wanted = await read_document(request, ModelControlRequest)
    versions = await plane.unload(name, wanted.parameters.version)
    return ModelControlAnswer(name=name, versions=versions, unload=True)
