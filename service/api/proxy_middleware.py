"""The middleware that undoes, before any other code, what a reverse proxy changed in a request.

::

    POST /classify/predict/ ─ proxy ─┬─ strips the prefix ──> /predict/ ──────────┬─ here ─> /predict
                                     └─ leaves it ──────────> /classify/predict/ ─┘

After it, ``path`` is the service's own path: without the prefix, and without a slash at its end, so that no route needs
a redirect. This process cannot know the right address of a redirect, and a client that follows one would send its
picture and its key again, perhaps without encryption.

Source: ``X-Forwarded-*`` as nginx, Traefik and Envoy send them; uvicorn's ``ProxyHeadersMiddleware`` for the address of
the client and the scheme.
"""

import re
from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.api.context import AppState, begin, context_of
from service.errors import SettingError
from service.http.addresses import is_prefix
from service.http.asgi import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

_HOST = re.compile(rb"[A-Za-z0-9.:\[\]_-]{1,255}")
_FORWARDED = b"x-forwarded-"
_MAPPED_IPV4 = "::ffff:"


class ProxyMiddleware:
    """Sets, for each request, the service's own path and the prefix that the client sees before it.

    Args:
        app: answers the requests.
        state: of the service; each request's context gets it.
        root_path: the prefix under which a proxy publishes the service; empty where there is none.
        trusted_addresses: addresses and networks of the proxies whose ``X-Forwarded-*`` headers are believed,
            separated by commas; ``*`` is any.
        own_steps: the first segment of each path of the app.
    """

    def __init__(
        self, app: ASGIApp, state: AppState, *, root_path: str, trusted_addresses: str, own_steps: frozenset[str]
    ) -> None:
        self._state = state
        self._own_steps = own_steps
        self._app = app
        self._root_path = root_path
        self._forwarded = ProxyHeadersMiddleware(cast("ASGI3Application", app), trusted_addresses)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes a request on, with its context. It is not a coroutine, to save time in every request."""
        app, prefix = self._app, self._root_path
        for name, _ in scope["headers"]:
            if name.startswith(_FORWARDED):
                if self._is_from_proxy(scope):
                    prefix = _read_headers(scope) or prefix
                    app = cast("ASGIApp", self._forwarded)
                break
        path: str = scope["path"]
        if (
            prefix
            and not _is_own(prefix, self._own_steps)
            and path.startswith(prefix)
            and path[len(prefix) :][:1] in ("", "/")
        ):
            path = path[len(prefix) :] or "/"
        if path.endswith("/") and len(path) > 1:
            path = path[:-1]
        scope["path"] = path
        begin(scope, self._state, prefix)
        return app(scope, receive, send)

    def _is_from_proxy(self, scope: Scope) -> bool:
        """Whether the request comes from a trusted address. An IPv4 address on an IPv6 socket is compared as IPv4."""
        client = scope.get("client")
        if client and client[0].startswith(_MAPPED_IPV4):
            scope["client"] = client = (client[0].removeprefix(_MAPPED_IPV4), client[1])
        return (client[0] if client else None) in self._forwarded.trusted_hosts


def check_distinct(root_path: str, own_steps: frozenset[str]) -> None:
    """Checks that a prefix differs from the beginning of all paths of the service.

    Raises:
        SettingError: it begins like one of them.
    """
    if _is_own(root_path, own_steps):
        raise SettingError(f"root_path {root_path} begins like a path of the service's own; choose another prefix")


def base_address(scope: Scope) -> str:
    """The URL of the service's root, for links in answers; ends with a slash.

    Args:
        scope: of a request that came through :class:`ProxyMiddleware`.

    Returns:
        ``/classify/`` where the prefix is known. Otherwise a URL relative to that of the request, such as ``./``,
        which is right under any prefix.
    """
    if root_path := context_of(scope).root_path:
        return f"{root_path}/"
    return "../" * (scope["raw_path"].count(b"/") - 1) or "./"


def _read_headers(scope: Scope) -> str:
    """Applies ``X-Forwarded-Host``, and returns ``X-Forwarded-Prefix``; headers that are not valid are ignored."""
    headers = dict(scope["headers"])
    host = headers.get(b"x-forwarded-host", b"")
    if _HOST.fullmatch(host):
        others = [header for header in scope["headers"] if header[0] != b"host"]
        scope["headers"] = [(b"host", host), *others]
    prefix = headers.get(b"x-forwarded-prefix", b"").decode("latin-1").removesuffix("/")
    return prefix if is_prefix(prefix) else ""


def _is_own(prefix: str, own_steps: frozenset[str]) -> bool:
    """Whether a prefix begins like a path of the app; such a prefix is never stripped from a path."""
    return bool(prefix) and prefix.split("/", 2)[1] in own_steps
