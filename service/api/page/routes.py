"""The page, its files, and its sample pictures, which are the golden images of each model.

The page is one document; its URLs begin with the prefix that the browser sees. Its content policy allows no inline
script, no inline style and no other host.
"""

import os
from pathlib import Path as FilePath
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Path, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.routing import BaseRoute, Match, Mount, Route

from service.api.accept import prefers_html
from service.api.context import context_of
from service.api.page import figures
from service.api.png import write_png
from service.api.proxy_middleware import base_address
from service.api.requests import read_headers
from service.declarations import declare
from service.errors import ModelNotFoundError
from service.http.asgi import Scope

FILES_PATH: Final = "/page"
_FOLDER: Final = FilePath(__file__).parent
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

router = APIRouter(include_in_schema=False)


@declare(key_scope=None)
class PageFiles(StaticFiles):
    """The files of the page. Browsers check each time whether they have changed, so that versions never mix."""

    def __init__(self) -> None:
        super().__init__(directory=_FOLDER / "static")

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Answers with one file, which the browser must check again before each use."""
        answer = super().file_response(full_path, stat_result, scope, status_code)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


class _BrowserRoute(Route):
    """The route of the page, for clients that prefer HTML; others get the next route of the path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        wants_page = match is not Match.NONE and prefers_html(read_headers(scope).get(b"accept", b""))
        return (match, child) if wants_page else (Match.NONE, {})


@declare(key_scope=None)
async def page(request: Request) -> Response:
    """The page."""
    text = (_FOLDER / "index.html").read_text("utf-8").replace("{base}", base_address(request.scope))
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "Vary": "Accept"}
    return Response(text, media_type="text/html", headers=headers)


@router.get("/models/{name}/versions/{version}/samples/{number}")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def sample(request: Request, name: str, version: str, number: Annotated[int, Path(ge=0)]) -> Response:
    """A golden image of a model, as its network gets it, in PNG."""
    model = context_of(request.scope).app.classifier.catalog.find(name, version)
    golden = model.metadata.golden
    if number >= len(golden):
        raise ModelNotFoundError(f"model {name!r} version {version!r} has {len(golden)} samples, counted from 0")
    pixels = np.frombuffer(golden[number].pixels, np.uint8).reshape(model.metadata.input_shape)
    return Response(write_png(pixels), media_type="image/png")


def page_routes() -> list[BaseRoute]:
    """The routes of the page."""
    return [_BrowserRoute("/", page), *router.routes, *figures.router.routes, Mount(FILES_PATH, PageFiles())]
