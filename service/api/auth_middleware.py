"""The layer that checks API keys. It exists only where keys are set.

::

    a route that declares no scope ─────> app
    any other ───── key, scope, rate ───> app
                             └─ 401, 403 or 429 from here
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from starlette.routing import BaseRoute, Match, Route

from service.api.context import context_of
from service.api.handlers import failure
from service.declarations import KeyScope, declaration_of
from service.errors import AccessError
from service.http.asgi import ASGIApp, Headers, Receive, Scope, Send
from service.telemetry.failure import Failure

if TYPE_CHECKING:
    from service.access import AccessControl

_UNKNOWN_PATH: Final = "predict"
"""The scope for paths without a route; their answer is 404 with a key and 401 without."""


class KeyRules:
    """Finds the key scope that a request needs, from the declaration of its route.

    Args:
        routes: of the app, in the order in which it tries them.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._fixed: dict[str, dict[str, KeyScope | None]] = {}  # by path and method
        self._others: list[tuple[BaseRoute, KeyScope | None]] = []
        self._costs: dict[str, int] = {}
        for route in routes:
            declared = declaration_of(getattr(route, "endpoint", None) or getattr(route, "app", None))
            needed = declared.key_scope
            if isinstance(route, Route) and not route.param_convertors:
                self._costs[route.path] = declared.cost
                methods = self._fixed.setdefault(route.path, {})
                for method in route.methods or ():
                    methods.setdefault(method, needed)
            else:
                self._others.append((route, needed))

    def cost(self, scope: Scope) -> int:
        """How many requests this one counts as in the rate of its key."""
        return self._costs.get(scope["path"], 1)

    def needed(self, scope: Scope) -> KeyScope | None:
        """The scope that a request needs; None where it needs no key."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        methods = self._fixed.get(scope["path"])
        if methods is not None:
            # Another method gets 405; this answer needs the scope of the path's first route.
            return methods[method] if method in methods else next(iter(methods.values()))
        first: KeyScope | None = _UNKNOWN_PATH
        is_known = False
        for route, needed in self._others:
            match = route.matches({**scope, "method": method})[0]
            if match is Match.FULL:
                return needed
            if match is Match.PARTIAL and not is_known:
                first, is_known = needed, True
        return first


class AuthMiddleware:
    """Passes on the requests whose key has the scope that their route needs.

    Args:
        app: answers these requests.
        access: checks the keys.
        rules: give the scope that a request needs.
    """

    def __init__(self, app: ASGIApp, access: "AccessControl", rules: KeyRules) -> None:
        self._app = app
        self._access = access
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers with an error. Its context gets the id of its key, or the failure."""
        if (needed := self._rules.needed(scope)) is not None:
            try:
                key = await self._access.admit(read_key(scope["headers"]), needed, self._rules.cost(scope))
                context_of(scope).key_id = key.id
            except AccessError as error:
                context_of(scope).failure = Failure.of(error)
                await failure(scope, error).send(send)
                return
        await self._app(scope, receive, send)


def read_key(headers: Headers) -> str | None:
    """The key of a request: ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``, the former first.

    Args:
        headers: names in lower case.

    Returns:
        The text of the header, valid or not; None where neither header is sent.
    """
    found = dict(headers)
    kind, _, token = found.get(b"authorization", b"").partition(b" ")
    if kind.lower() == b"bearer":
        return token.strip().decode("latin-1")
    key = found.get(b"x-api-key")
    return None if key is None else key.decode("latin-1")
