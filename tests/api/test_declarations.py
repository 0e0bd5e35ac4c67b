"""Every route and every call declares which key it needs; one without a declaration is not open to all."""

import subprocess
import sys
from typing import Any

import pytest
from starlette.routing import Mount, Route

from service.api.auth_middleware import KeyRules
from service.api.predict import PredictEndpoint
from service.api.route_table import all_routes
from service.api.v2.infer import InferEndpoint
from service.declarations import UNDECLARED, declaration_of, declare
from tests.process import ROOT

HEALTH = {"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"}
OPEN = {"/", "/docs", "/openapi.json", "/page", "/static-offline-docs", *HEALTH}
CONTROL = {"/v2/repository/models/{name}/load", "/v2/repository/models/{name}/unload"}


def test_every_route_says_which_key_it_needs() -> None:
    found: dict[str | None, set[str]] = {}
    # The classes are used instead of instances, which would need a whole service.
    for route in all_routes(PredictEndpoint, InferEndpoint):  # type: ignore[arg-type]
        assert isinstance(route, Route | Mount)
        declared = declaration_of(route.app if isinstance(route, Mount) else route.endpoint)
        assert declared is not UNDECLARED, f"{route.path} needs @declare(key_scope=...)"
        found.setdefault(declared.key_scope, set()).add(route.path)
    assert found[None] == OPEN
    assert found["metrics"] == {"/metrics"}
    assert found["control"] == CONTROL
    assert len(found["predict"]) >= 15


def test_every_call_of_grpc_says_which_key_it_needs() -> None:
    """In a separate process, since the protobuf messages of the tested clients have the same names."""
    script = """
import inspect
from service.declarations import UNDECLARED, declaration_of
from service.grpc.servicer import InferenceServicer
calls = dict(inspect.getmembers(InferenceServicer, inspect.iscoroutinefunction))
assert len(calls) >= 11
assert all(declaration_of(call) is not UNDECLARED for call in calls.values())
print(sorted(name for name, call in calls.items() if declaration_of(call).key_scope is None))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "['ServerLive', 'ServerReady']\n"


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/forgotten", "control"),
        ("GET", "/forgotten/a", "control"),
        ("POST", "/forgotten/a", "control"),
        ("GET", "/open", None),
        ("GET", "/open/a", None),
        ("GET", "/open/a/b", "predict"),
        ("GET", "/nowhere", "predict"),
    ],
)
def test_a_route_that_says_nothing_is_not_open(method: str, path: str, needed: str | None) -> None:
    async def forgotten(_request: Any) -> None: ...

    @declare(key_scope=None)
    async def unlocked(_request: Any) -> None: ...

    rules = KeyRules(
        [
            Route("/forgotten", forgotten),
            Route("/forgotten/{name}", forgotten),
            Route("/open", unlocked),
            Route("/open/{name}", unlocked),
        ]
    )
    assert rules.needed({"type": "http", "method": method, "path": path}) == needed
