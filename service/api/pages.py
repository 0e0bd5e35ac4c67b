"""The root, the docs page and the OpenAPI document, from which people and programs learn the routes.

Every URL in them is relative, or begins with the prefix that the client sees, so that they work under any prefix.
"""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from service.api.accept import prefers_html
from service.api.context import context_of
from service.api.proxy_middleware import base_address
from service.api.requests import read_headers
from service.declarations import declare

ASSETS_PATH = "/static-offline-docs"
_PLUGIN = Path(__file__).parent / "docs_plugin.js"
_START = "const ui = SwaggerUIBundle({"  # in the page that FastAPI writes
_LINKS = {
    "docs": "docs",
    "openapi": "openapi.json",
    "models": "models",
    "predict": "predict",
    "ready": "health/ready",
    "open_inference": "v2",
}

router = APIRouter()


class Start(BaseModel):
    """Links to the parts of the API."""

    name: str = Field(examples=["convoy"])
    version: str = Field(examples=["0.1.0"], description="Of the service.")
    status: str = Field(examples=["alive"], description="Always `alive`; V1 clients of KServe expect it.")
    links: dict[str, str] = Field(examples=[{"docs": "./docs"}], description="Addresses, relative to this one.")


@declare(key_scope=None)
class PageAssets(StaticFiles):
    """The files of the docs page, served from an installed package, so that the page needs no other server."""

    def __init__(self) -> None:
        super().__init__(packages=[("fastapi_offline", "static")])


@router.get(
    "/",
    operation_id="start",
    summary="What is this?",
    tags=["health"],
    responses={200: {"model": Start, "content": {"text/html": {}}}, 307: {"description": "To the docs page."}},
)
@declare(key_scope=None)
async def root(request: Request) -> Response:
    """Links to the parts of the API. Browsers, which prefer HTML, get the page or a redirect to the docs page."""
    base = base_address(request.scope)
    if prefers_html(read_headers(request.scope).get(b"accept", b"")):
        return RedirectResponse(f"{base}docs", headers={"Vary": "Accept"})
    links = {name: base + path for name, path in _LINKS.items()}
    document = Start(name="convoy", version=request.app.version, status="alive", links=links)
    return Response(document.model_dump_json(), media_type="application/json", headers={"Vary": "Accept"})


@router.get("/docs", include_in_schema=False)
@declare(key_scope=None)
async def docs(request: Request) -> Response:
    """The page on which every route can be tried."""
    base = base_address(request.scope)
    assets = base + ASSETS_PATH.removeprefix("/")
    page = get_swagger_ui_html(
        openapi_url=f"{base}openapi.json",
        title=f"{request.app.title} API",
        swagger_js_url=f"{assets}/swagger-ui-bundle.js",
        swagger_css_url=f"{assets}/swagger-ui.css",
        swagger_favicon_url=f"{assets}/favicon.png",
    )
    text = bytes(page.body).decode()
    return HTMLResponse(text.replace(_START, f"{_PLUGIN.read_text('utf-8')}{_START}\nplugins: [emptyForms],"))


@router.get("/openapi.json", include_in_schema=False)
@declare(key_scope=None)
async def openapi(request: Request) -> Response:
    """The OpenAPI document. Its server is the address at which the document was requested."""
    context = context_of(request.scope)
    document = await context.app.document.serialise(context.root_path or ".")
    return Response(document, media_type="application/json")
