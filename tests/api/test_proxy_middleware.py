"""The proxy middleware: its changes to a request, and which proxies it trusts."""

from typing import Any

import pytest

from service.api.context import context_of
from service.api.proxy_middleware import ProxyMiddleware
from service.http.asgi import Receive, Scope, Send

FORWARDED = [
    (b"host", b"127.0.0.1:8000"),
    (b"x-forwarded-for", b"203.0.113.9, 10.0.0.2"),
    (b"x-forwarded-host", b"example.org"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-prefix", b"/classify"),
]


async def pass_through(client: tuple[str, int], path: str = "/models", root_path: str = "") -> dict[str, Any]:
    """The scope of a request from an address, after the middleware."""
    seen: dict[str, Any] = {}

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.update(scope)

    async def receive() -> dict[str, Any]:
        return {}

    async def send(_message: Any) -> None:
        return

    state: Any = None  # of the service; the middleware passes it on
    layer = ProxyMiddleware(
        app, state, root_path=root_path, trusted_addresses="10.0.0.0/8", own_steps=frozenset(("models",))
    )
    scope = {
        "type": "http",
        "client": client,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "headers": list(FORWARDED),
        "state": {},
    }
    await layer(scope, receive, send)
    return seen


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3"])
async def test_a_trusted_proxy_is_believed(address: str) -> None:
    seen = await pass_through((address, 5000))
    assert seen["client"][0] == "203.0.113.9"
    assert seen["scheme"] == "https"
    assert dict(seen["headers"])[b"host"] == b"example.org"
    assert context_of(seen).root_path == "/classify"


async def test_anybody_else_is_not() -> None:
    seen = await pass_through(("192.0.2.7", 5000), root_path="/own")
    assert seen["client"] == ("192.0.2.7", 5000)
    assert seen["scheme"] == "http"
    assert dict(seen["headers"])[b"host"] == b"127.0.0.1:8000"
    assert context_of(seen).root_path == "/own"


@pytest.mark.parametrize(
    ("path", "known_as"),
    [
        ("/classify/models", "/models"),
        ("/classify/models/", "/models"),
        ("/classify", "/"),
        ("/classify/", "/"),
        ("/classifier/models", "/classifier/models"),
        ("/models", "/models"),
        ("/", "/"),
    ],
)
async def test_the_prefix_may_be_stripped_or_not(path: str, known_as: str) -> None:
    for address in ("10.1.2.3", "192.0.2.7"):
        assert (await pass_through((address, 1), path, root_path="/classify"))["path"] == known_as
