"""What people and programs find before they know a route: the root, the docs page and the OpenAPI document.

Every address on them is relative to the page, or begins with the prefix that the client sees, so that they work under
any prefix.
"""

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from service.api.context import context_of
from service.api.proxy_middleware import base_address
from service.declarations import declare

ASSETS_PATH = "/static-offline-docs"
_LINKS = {
    "docs": "docs",
    "openapi": "openapi.json",
    "models": "models",
    "predict": "predict",
    "ready": "health/ready",
    "open_inference": "v2",
}

router = APIRouter(include_in_schema=False)


@declare(key_scope=None)
class PageAssets(StaticFiles):
    """The files of the docs page, from the package that carries them: the page needs no other server."""

    def __init__(self) -> None:
        super().__init__(packages=[("fastapi_offline", "static")])


@router.get("/")
@declare(key_scope=None)
async def root(request: Request) -> Response:
    """Leads browsers to the docs page where there is no page of its own, and tells other clients where things are."""
    base = base_address(request.scope)
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{base}docs", headers={"Vary": "Accept"})
    links = {name: base + path for name, path in _LINKS.items()}
    document = {"name": "convoy", "version": request.app.version, "status": "alive", "links": links}  # as KServe V1
    return Response(orjson.dumps(document), media_type="application/json", headers={"Vary": "Accept"})


@router.get("/docs")
@declare(key_scope=None)
async def docs(request: Request) -> Response:
    """The page on which every route can be tried."""
    base = base_address(request.scope)
    assets = base + ASSETS_PATH.removeprefix("/")
    return get_swagger_ui_html(
        openapi_url=f"{base}openapi.json",
        title=f"{request.app.title} API",
        swagger_js_url=f"{assets}/swagger-ui-bundle.js",
        swagger_css_url=f"{assets}/swagger-ui.css",
        swagger_favicon_url=f"{assets}/favicon.png",
    )


@router.get("/openapi.json")
@declare(key_scope=None)
async def openapi(request: Request) -> Response:
    """The OpenAPI document. Its server is where the document itself was found."""
    context = context_of(request.scope)
    document = context.app.document.serialise(context.root_path or ".")
    return Response(document, media_type="application/json")
