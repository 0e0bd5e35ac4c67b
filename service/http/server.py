"""One serving process: uvicorn, configured for this service; it finishes its requests before it ends.

::

    SIGTERM -> not ready -> (drain_delay_s) -> no new connections -> waiting connections are accepted
            -> the requests in flight are answered -> exit 0
               a second signal ends the process at once; after drain_timeout_s it ends with requests unanswered

:mod:`service.workers.stop_signals` handles the signals.
"""

import asyncio
import logging
import resource
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import cast

import uvicorn
import uvloop

from service.app import run_service
from service.errors import SettingError
from service.http.connection_limit import MOST_FURTHER_CONNECTIONS, ConnectionCounts, ConnectionLimit
from service.http.listener import admit_no_more, has_waiting
from service.http.protocol import HttpProtocol
from service.models.freed_memory import return_large_blocks
from service.settings import Settings
from service.telemetry.logs import flush_logs
from service.workers.stop_signals import DRAIN_GRACE_S, StopSignals

logger = logging.getLogger(__name__)

_SWITCH_INTERVAL_S = 0.001  # beside a busy thread, the event loop waits a quarter as long; costs 1 % CPU time
_OTHER_FILES = 256
_LEAST_FILES = _OTHER_FILES + 64
_HANDSHAKE_S = 0.2  # time in which TCP handshakes that have begun are completed
_ACCEPT_LIMIT_S = 5.0


def serve(
    settings: Settings,
    listener: socket.socket,
    ready: Callable[[], None],
    signals: StopSignals,
    worker_slot: int | None = None,
) -> None:
    """Serves until a signal ends the process; does not return.

    Args:
        settings: of the service.
        listener: bound to its address.
        ready: called once requests are answered.
        signals: the signals that end this process.
        worker_slot: number of this worker; None where the process is not a worker. A second signal does not end a
            worker, since its parent process decides when it ends.

    Raises:
        ConvoyError: the service cannot start; the message says why.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    return_large_blocks()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener, ready, signals, worker_slot))


async def _serve(
    settings: Settings,
    listener: socket.socket,
    ready: Callable[[], None],
    signals: StopSignals,
    worker_slot: int | None,
) -> None:
    async with run_service(settings, worker_slot or 0) as service:
        protocol = partial(
            HttpProtocol,
            limit=ConnectionLimit(_connections_allowed(settings.max_connections)),
            budget=service.budget,
            refusals=service.refusals,
            write_timeout_s=settings.write_timeout_s,
            keep_alive_s=settings.keep_alive_timeout_s,
        )
        config = uvicorn.Config(
            service.app,
            interface="asgi3",  # uvicorn's guess is wrong for an app that is not a coroutine function
            http=cast("type[asyncio.Protocol]", protocol),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(settings.drain_timeout_s)),
        )

        def started() -> None:
            signals.serve(
                stop=server.stop,
                limit_s=settings.drain_delay_s + settings.drain_timeout_s + DRAIN_GRACE_S,
                stop_now=signals.end_now if worker_slot is None else None,
            )
            logger.info("ready for requests")
            flush_logs()  # they name the addresses that clients may now use
            ready()

        server = DrainingServer(config, service.drain, drain_delay_s=settings.drain_delay_s, started=started)
        await server.serve(sockets=[listener])
    signals.end_drained()


def _connections_allowed(wanted: int) -> ConnectionCounts:
    """Raises the process's limit of open files to the number of connections that are wanted.

    Args:
        wanted: connections that are to be served.

    Returns:
        The numbers that are possible; where the system's limit makes the first smaller than wanted, this is logged.

    Raises:
        SettingError: the system's limit leaves room for nearly none.
    """
    needed = wanted + MOST_FURTHER_CONNECTIONS + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return ConnectionCounts(wanted)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if most < _LEAST_FILES:
        raise SettingError(
            f"the limit of {most} open files is too low: the service needs {_LEAST_FILES} at least, and {needed} for "
            f"max_connections = {wanted}; raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    allowed = ConnectionCounts.within(most - _OTHER_FILES, wanted)
    if allowed.served < wanted:
        logger.warning(
            "the limit of %d open files leaves room for %d connections, not %d", most, allowed.served, wanted
        )
    return allowed


def _begin_to_listen(listener: socket.socket, backlog: int) -> None:
    """Listens before uvicorn does, because uvloop only closes the socket where it cannot listen."""
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(backlog)
    except OSError as error:
        raise SettingError(f"cannot listen on {host}:{port}: {error.strerror}") from None


class DrainingServer(uvicorn.Server):
    """uvicorn's server, with the shutdown that this module's docstring describes.

    Args:
        config: of the server.
        drain: set when the process is told to stop.
        drain_delay_s: how long to go on accepting after the signal, while load balancers learn of it.
        started: called once requests are answered.
    """

    def __init__(
        self, config: uvicorn.Config, drain: asyncio.Event, *, drain_delay_s: float, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._drain = drain
        self._drain_delay_s = drain_delay_s
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens.

        Raises:
            SettingError: another program listens on the address by now.
        """
        for listener in sockets or []:
            _begin_to_listen(listener, self.config.backlog)
        await super().startup(sockets)
        if self.started:
            self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts the waiting connections, and answers the accepted requests."""
        self._drain.set()
        await asyncio.sleep(self._drain_delay_s)
        listeners = sockets or []
        for listener in listeners:
            admit_no_more(listener)
        await asyncio.sleep(_HANDSHAKE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ACCEPT_LIMIT_S):
                while any(has_waiting(listener) for listener in listeners):  # noqa: ASYNC110  the loop accepts them
                    await asyncio.sleep(0)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handles no signals; :meth:`stop` is called instead."""
        yield

    def stop(self) -> None:
        """Begins to drain. May be called in any thread."""
        self.should_exit = True
