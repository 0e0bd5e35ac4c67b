"""The service on Ray Serve: the same ASGI app and classifier as ``convoy serve``, one in each replica.

::

    client ─> HAProxy on any machine ─> uvicorn in a replica ─> the app of service/app.py
              ports, retries: Ray's     on any machine            queue, batches, models: of the replica

``serve run deploy/ray/serve.yaml`` starts it. HAProxy needs ``RAY_SERVE_ENABLE_HA_PROXY=1`` on every machine before
Ray starts there; without it Ray's own proxy, written in Python, answers a tenth of the requests (docs/scaling.md).
"""

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from ray import serve

from deploy.ray.arguments import read_arguments
from service.app import run_service
from service.errors import ConvoyError
from service.http.asgi import ASGIApp, Message, Receive, Scope, Send
from service.settings import Settings
from service.telemetry.logs import configure_logs


class ReplicaApp:
    """The app of one replica, which runs from the lifespan's startup to its shutdown.

    Args:
        settings: of the service.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: ASGIApp  # set at startup, before Ray sends requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or takes part in the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._app(scope, receive, partial(_send_without_id, send))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        # Ray Serve replaces sys.stderr by a logger that holds lines back until there are a thousand.
        configure_logs(self._settings.log_level, self._settings.log_format, sys.__stderr__)
        try:
            async with run_service(self._settings) as service:
                self._app = service.app
                await send({"type": "lifespan.startup.complete"})
                await receive()
                service.drain.set()
        except ConvoyError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


async def _send_without_id(send: Send, message: Message) -> None:
    """Leaves ``X-Request-ID`` to Ray, which adds the same one to every answer: the app takes it from the request."""
    if message["type"] == "http.response.start":
        message["headers"] = [header for header in message["headers"] if header[0] != b"x-request-id"]
    await send(message)


@serve.ingress()
class Replica:
    """One replica. The Serve config sets the number of replicas and their resources.

    Args:
        settings: of the service.
    """

    def __init__(self, settings: Settings) -> None:
        self._replica_app = ReplicaApp(settings)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """The app, for Ray's uvicorn."""
        return self._replica_app


def deployment(settings: Settings) -> Any:
    """The application, with one replica unless a Serve config sets more.

    Args:
        settings: of the service.
    """
    # Ray's default of 5 requests at once would leave every batch nearly empty.
    return serve.deployment(name="convoy", max_ongoing_requests=512)(Replica).bind(settings)


def build(args: Mapping[str, Any]) -> Any:
    """Makes the application of a Serve config (``import_path: deploy.ray.service:build``).

    Args:
        args: settings of the service by name, as in docs/configuration.md; ``CONVOY_*`` variables are read as well.

    Raises:
        SettingError: a value cannot be used, or Ray controls what the setting means.
    """
    return deployment(read_arguments(args))
