"""One serving process: uvicorn, set up for this service, that drains before it ends.

::

    SIGTERM -> not ready -> (drain_delay_s) -> no new connections -> the requests in flight are answered -> exit 0
               a second signal ends it at once; the end of drain_timeout_s ends it with what is then unanswered
"""

import asyncio
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from service.app import create_app
from service.http.protocol import MOST_REFUSED_CONNECTIONS, PatientProtocol
from service.settings import Settings

logger = logging.getLogger(__name__)

_FORCED_EXIT = 1
_OTHER_FILES = 256


def serve(settings: Settings, listener: socket.socket, ready: Callable[[], None], worker_slot: int = 0) -> None:
    """Serves until a signal ends it.

    Args:
        settings: how the service runs.
        listener: bound to its address.
        ready: called once requests are answered.
        worker_slot: number of this worker among its siblings.
    """
    config = uvicorn.Config(
        create_app(settings, worker_slot),
        loop="uvloop",
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_connections_allowed(settings.max_connections),
        timeout_graceful_shutdown=max(1, round(settings.drain_timeout_s)),
    )
    DrainingServer(config, drain_delay_s=settings.drain_delay_s, ready=ready).run(sockets=[listener])


def _connections_allowed(wanted: int) -> int:
    """Raises the process's limit of open files so that it can hold so many connections.

    Args:
        wanted: connections.

    Returns:
        How many it can hold: fewer where the system's own limit is lower, which is then logged.
    """
    needed = wanted + MOST_REFUSED_CONNECTIONS + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    allowed = wanted - (needed - most)
    if allowed < wanted:
        logger.warning("the limit of %d open files leaves room for %d connections, not %d", most, allowed, wanted)
    return max(1, allowed)


class DrainingServer(uvicorn.Server):
    """uvicorn's server, ending as the module says.

    Args:
        config: of the server.
        drain_delay_s: how long to go on accepting after the signal, while load balancers learn of it.
        ready: called once requests are answered.
    """

    def __init__(self, config: uvicorn.Config, *, drain_delay_s: float, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain_delay_s = drain_delay_s
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Loads the models, then listens."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answers what was accepted, then lets the models go."""
        self.lifespan.state["drain"].set()
        await asyncio.sleep(self._drain_delay_s)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handles SIGINT and SIGTERM; unlike uvicorn's own, a clean end is exit 0 and no signal raised again."""
        handled = (signal.SIGINT, signal.SIGTERM)
        original = {number: signal.signal(number, self.handle_exit) for number in handled}
        try:
            yield
        finally:
            for number, handler in original.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  the signature of a handler
        """Begins to drain; told again, ends at once."""
        if self.should_exit:
            logger.warning("told again to stop: ending with requests unanswered")
            os._exit(_FORCED_EXIT)
        self.should_exit = True
