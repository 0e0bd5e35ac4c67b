"""The routes of the whole app, with all dialects: spellings of their paths, and the keys that these need."""

import re
from collections.abc import Iterator

import pytest
from starlette.routing import BaseRoute, Match, Mount, Route

from service.api.auth_middleware import KeyRules
from service.api.dialects.choice import choose_dialects
from service.api.picture_operations import picture_routes
from service.api.predict import PredictEndpoint
from service.api.route_table import all_routes
from service.api.v2.infer import InferEndpoint
from service.api.work_thread import WorkThread
from service.declarations import UNDECLARED, declaration_of
from service.http.body_budget import BodyBudget
from service.limits import RequestLimits
from service.settings_reader import read_settings
from tests.api.dialects.conftest import DIALECTS

METHODS = ("GET", "POST", "PUT")
SPELLINGS = (
    "{}",
    "{}/",
    "/{}",
    "{};a=1",
    "{}:predict",
    "{}\n",
    "{}\n/",
    "{}\r\n",
    "\n{}",
    "{}\x00",
    "{}\x7f",
    "{}\x85",
)


@pytest.fixture(scope="module")
def routes() -> list[BaseRoute]:
    settings = read_settings(["--dialects", ",".join(DIALECTS)])
    dialects = choose_dialects(settings)
    assert dialects is not None
    parts = RequestLimits(1, 1, 1.0), BodyBudget(1), WorkThread("bodies", "to be read or written")
    return all_routes(PredictEndpoint(*parts), InferEndpoint(*parts), dialects.routes(*parts), picture_routes(*parts))


def paths(routes: list[BaseRoute]) -> Iterator[str]:
    """A path of each route."""
    for route in routes:
        assert isinstance(route, Route | Mount)
        yield re.sub(r"\{[^}]*\}", "0", route.path) + ("/a.css" if isinstance(route, Mount) else "")


def find(routes: list[BaseRoute], method: str, path: str) -> BaseRoute | None:
    """The route that answers a request, as the app finds it."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)


def test_no_route_answers_a_path_with_a_newline(routes: list[BaseRoute]) -> None:
    whole = list(paths(routes))
    assert len(whole) > 50
    for method in METHODS:
        found = [path for path in whole if find(routes, method, f"{path}\n") or find(routes, method, f"\n{path}")]
        assert not found, method


def test_the_key_that_is_asked_for_is_that_of_the_route_that_answers(routes: list[BaseRoute]) -> None:
    rules = KeyRules(routes)
    answered = 0
    for path in (spelling.format(path) for path in paths(routes) for spelling in SPELLINGS):
        for method in METHODS:
            if (route := find(routes, method, path)) is not None:
                declared = declaration_of(getattr(route, "endpoint", None) or getattr(route, "app", None))
                scope = {"type": "http", "method": method, "path": path, "headers": []}
                assert declared is not UNDECLARED
                assert (rules.needed(scope), rules.cost(scope)) == (declared.key_scope, declared.cost), (method, path)
                answered += 1
    assert answered > 100
