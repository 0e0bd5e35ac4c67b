"""The state that a request has in all middleware and routes: the service, and the outcome so far."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from service.classifier import Classification, Classifier
from service.http.asgi import Scope
from service.http.body_budget import BodyBudget
from service.open_inference.dataplane import DataPlane
from service.telemetry.failure import Failure
from service.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from service.api.dialects.chosen import Dialects
    from service.api.openapi import ApiDocument

_KEY: Final = "context"


@dataclass(frozen=True, slots=True)
class AppState:
    """The parts of the running service that routes use.

    Attributes:
        classifier: answers predictions.
        plane: answers the Open Inference Protocol.
        metrics: of the service.
        drain: set once the process is told to stop.
        document: the OpenAPI document.
        budget: limits the bytes that all requests hold.
        dialects: those that are on; None where all are off.
    """

    classifier: Classifier
    plane: DataPlane
    metrics: Metrics
    drain: asyncio.Event
    document: "ApiDocument"
    budget: BodyBudget
    dialects: "Dialects | None" = None


@dataclass(slots=True)
class RequestContext:
    """The context of one request. Middleware and routes set the attributes after ``root_path`` once they are known.

    Attributes:
        app: the service.
        root_path: the prefix that the client sees before the service's paths; empty where none is known.
        request_id: the id in the log and in the answer.
        key_id: the id of the request's API key.
        result: the classification, where there is one.
        failure: why the request failed, where it did.
    """

    app: AppState
    root_path: str
    request_id: bytes = b""
    key_id: str | None = None
    result: Classification | None = None
    failure: Failure | None = None


def begin(scope: Scope, app: AppState, root_path: str) -> None:
    """Gives a request its context."""
    scope["state"][_KEY] = RequestContext(app, root_path)


def context_of(scope: Scope) -> RequestContext:
    """The context of a request."""
    context: RequestContext = scope["state"][_KEY]
    return context
