"""The routes that explain the prediction of one picture, and their descriptions in the OpenAPI document."""

from typing import Any

from pydantic import BaseModel
from starlette.routing import BaseRoute

from service.api.described_parameters import form, one_file, query_parameter
from service.api.explain import ExplainEndpoint
from service.api.layers import LayersEndpoint
from service.api.operation import BINARY, PICTURE_BODIES, TEXT, TIMEOUT_HEADER, Operation, OperationRoute, reference
from service.api.picture_endpoint import MOST_OWN_CHARACTERS
from service.api.picture_schemas import PICTURE_PARAMETERS, EncodedImage, ExplanationAnswer, LayersAnswer, SeenInput
from service.api.preprocess import PreprocessEndpoint
from service.api.work_thread import WorkThread
from service.decoding import NPY_MEDIA_TYPE
from service.http.body_budget import BodyBudget
from service.limits import RequestLimits

_BODY: dict[str, Any] = {
    "required": True,
    "description": "One picture of any size.",
    "content": {
        **PICTURE_BODIES,
        "multipart/form-data": {"schema": form(one_file("One picture."), PICTURE_PARAMETERS)},
        "application/json": {"schema": reference(EncodedImage)},
    },
}


def _operation(
    path: str, summary: str, description: str, answer: type[BaseModel], others: dict[str, str], *own: dict[str, Any]
) -> Operation:
    content: dict[str, Any] = {"application/json": {"schema": reference(answer)}}
    content |= {kind: {"schema": {**BINARY, "description": text}} for kind, text in others.items()}
    return Operation(
        path,
        path.removeprefix("/"),
        summary,
        description,
        tag="explain",
        parameters=(*map(query_parameter, PICTURE_PARAMETERS), *own, TIMEOUT_HEADER),
        body=_BODY,
        answer={"description": "The answer for this picture.", "content": content},
        bodies=(EncodedImage,),
        answers=(answer,),
    )


_PREPROCESS = _operation(
    "/preprocess",
    "See what the network sees",
    "The pixels that the network gets, and which part of the picture they are. With `Accept`, as PNG or as uint8 "
    "[1, H, W, C], which `/predict` accepts as a body.",
    SeenInput,
    {"image/png": "The pixels.", NPY_MEDIA_TYPE: "uint8 [1, H, W, C]"},
)


_LABEL: dict[str, Any] = {
    "name": "label",
    "in": "query",
    "description": "The class to explain; the default is the most probable one.",
    "schema": {**TEXT, "maxLength": MOST_OWN_CHARACTERS},
}
_EXPLAIN = _operation(
    "/explain",
    "Ask why",
    "Which pixels are evidence for a class. Exact (`hirescam`) where the network ends in one dense layer after its "
    "last feature map, and its file has that map as an output; otherwise `occlusion`: 64 parts of the picture are "
    "hidden one after the other, while other requests go first. It counts as 64 requests in the rate of a key.",
    ExplanationAnswer,
    {
        "image/png": "The map over the picture: orange is evidence for the class, blue against it.",
        NPY_MEDIA_TYPE: "float32 [H, W]",
    },
    _LABEL,
)


_LAYERS = _operation(
    "/layers",
    "See the network",
    "The first layers of the network, with their input and output shapes, the kernels of the first convolution, and "
    "the output of each layer for the picture. `notes` says what this graph does not allow to show. It counts as 8 "
    "requests in the rate of a key.",
    LayersAnswer,
    {},
)


def picture_routes(limits: RequestLimits, budget: BodyBudget, work_thread: WorkThread) -> list[BaseRoute]:
    """The routes.

    Args:
        limits: of a request.
        budget: limits the bytes that all requests hold.
        work_thread: does work that would block the event loop for too long.
    """
    return [
        OperationRoute(_PREPROCESS, PreprocessEndpoint(limits, budget, work_thread)),
        OperationRoute(_LAYERS, LayersEndpoint(limits, budget, work_thread)),
        OperationRoute(_EXPLAIN, ExplainEndpoint(limits, budget, work_thread)),
    ]
