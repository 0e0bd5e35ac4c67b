"""The dialects that are on; finds the one that a request belongs to."""

from collections.abc import Iterator, Sequence

from starlette.routing import BaseRoute

from service.api.dialects.dialect import Dialect
from service.api.dialects.endpoint import DialectEndpoint
from service.api.operation import OperationRoute
from service.api.work_thread import WorkThread
from service.http.body_budget import BodyBudget
from service.limits import RequestLimits


class Dialects:
    """The dialects that are on.

    Args:
        dialects: where two have the same route, the first one answers.
    """

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        self._dialects = tuple(dialects)

    def __iter__(self) -> Iterator[Dialect]:
        """Each of them."""
        return iter(self._dialects)

    def find(self, method: str, path: str) -> Dialect | None:
        """The dialect that a request belongs to; None where it belongs to the service's own API.

        Args:
            method: of the request; HEAD is treated as GET.
            path: of the request, or of a route.
        """
        request = f"{'GET' if method == 'HEAD' else method} {path}"
        return next((dialect for dialect in self._dialects if dialect.own.fullmatch(request)), None)

    def routes(self, limits: RequestLimits, budget: BodyBudget, work_thread: WorkThread) -> list[BaseRoute]:
        """The routes of all dialects. Those that classify come first, since their paths are more specific.

        Args:
            limits: of a request.
            budget: limits the bytes that all requests hold.
            work_thread: does work that would block the event loop for too long.
        """
        others = {  # SageMaker and TorchServe share /ping
            getattr(route, "path", ""): route for dialect in reversed(self._dialects) for route in dialect.router.routes
        }
        return [
            *(
                OperationRoute(operation, DialectEndpoint(dialect, read, limits, budget, work_thread))
                for dialect in self._dialects
                for operation, read in dialect.operations
            ),
            *others.values(),
        ]
