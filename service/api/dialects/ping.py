"""The health check of TorchServe, SageMaker and Vertex AI: ``GET /ping``, or another path."""

from fastapi import APIRouter, Request, Response

from service.api.context import context_of
from service.declarations import declare


def ping_router(tag: str, path: str = "/ping", operation_id: str = "ping") -> APIRouter:
    """The route.

    Args:
        tag: of the dialect.
        path: of the route.
        operation_id: its name in the OpenAPI document.
    """
    router = APIRouter(tags=[tag])

    @router.get(path, operation_id=operation_id, summary="Should requests be sent here?")
    @declare(key_scope=None)
    async def ping(request: Request, response: Response) -> dict[str, str]:
        """Healthy; with status 503 Unhealthy, once the process is told to stop."""
        is_ready = context_of(request.scope).app.plane.is_ready()
        response.status_code = 200 if is_ready else 503
        return {"status": "Healthy" if is_ready else "Unhealthy"}

    return router
