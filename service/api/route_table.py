"""Lists every route of the service in one flat list, from which key rules and the OpenAPI document are made."""

import re
from collections.abc import Iterable, Sequence

from starlette.convertors import StringConvertor
from starlette.routing import BaseRoute, Mount, Route

from service.api.operation import OperationRoute
from service.api.page.routes import page_routes
from service.api.pages import ASSETS_PATH, PageAssets
from service.api.pages import router as pages
from service.api.predict_operations import PREDICT_OPERATIONS
from service.api.routes import router
from service.api.v2.infer_operations import INFER_OPERATIONS
from service.api.v2.repository import router as repository
from service.api.v2.routes import router as v2
from service.http.asgi import ASGIApp

_ANY_NAME = StringConvertor.regex
_NAME = r"[^/\x00-\x1f\x7f]+"


def all_routes(
    predict: ASGIApp,
    inference: ASGIApp,
    dialects: Sequence[BaseRoute] = (),
    pictures: Sequence[BaseRoute] = (),
    *,
    has_page: bool = True,
) -> list[BaseRoute]:
    """The routes, in the order in which they are tried. Each matches whole paths only.

    Args:
        predict: answers ``/predict``, with and without a model in the path.
        inference: answers ``/v2/.../infer``.
        dialects: the routes of the dialects that are on.
        pictures: the routes that explain the prediction of one picture.
        has_page: whether the page at ``/`` is served.
    """
    routes = [
        *(page_routes() if has_page else ()),
        *dialects,
        *(route for part in (pages, router, v2, repository) for route in part.routes),
        *(OperationRoute(operation, predict) for operation in PREDICT_OPERATIONS),
        *(OperationRoute(operation, inference) for operation in INFER_OPERATIONS),
        Mount(ASSETS_PATH, PageAssets()),
        *pictures,
    ]
    _match_whole_paths(routes)
    return routes


def first_steps(routes: list[BaseRoute]) -> frozenset[str]:
    """The first segment of each path, such as ``models``."""
    paths = (route.path for route in routes if isinstance(route, Route | Mount))
    return frozenset(path.split("/")[1] for path in paths) - {""}


def _match_whole_paths(routes: Iterable[BaseRoute]) -> None:
    """Makes each route match whole paths only, and no names with control characters.

    Starlette's patterns end with ``$``, which matches before a newline at the end too: ``/metrics%0A`` would be
    answered like ``/metrics``, while the key rules know only ``/metrics``.
    """
    for route in routes:
        if isinstance(route, Route | Mount):
            pattern = route.path_regex.pattern.replace(_ANY_NAME, _NAME).removesuffix("$")
            route.path_regex = re.compile(pattern + r"\Z")
