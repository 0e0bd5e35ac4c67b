"""``GET /ping``, the health check of TorchServe and SageMaker."""

from fastapi import APIRouter, Request, Response

from service.api.context import context_of
from service.declarations import declare


def ping_router(tag: str) -> APIRouter:
    """The route.

    Args:
        tag: of the dialect.
    """
    router = APIRouter(tags=[tag])

    @router.get("/ping", operation_id="ping", summary="Should requests be sent here?")
    @declare(key_scope=None)
    async def ping(request: Request, response: Response) -> dict[str, str]:
        """Healthy; with status 503 Unhealthy, once the process is told to stop."""
        is_ready = context_of(request.scope).app.plane.is_ready()
        response.status_code = 200 if is_ready else 503
        return {"status": "Healthy" if is_ready else "Unhealthy"}

    return router
