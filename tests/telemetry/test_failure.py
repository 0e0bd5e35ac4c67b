"""A handled error keeps no objects alive, with the garbage collector off."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from service.errors import DeadlineExceededError, InferenceFailedError, MalformedRequestError
from service.telemetry.failure import Failure


class Body:
    """Represents a body of many megabytes."""


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def parse(body: Body) -> None:
    try:
        int("x")
    except ValueError as error:
        raise MalformedRequestError(f"not a number: {body is None}") from error


def keep_in_local(body: Body) -> None:
    try:
        parse(body)
    except MalformedRequestError as error:
        outcome = error  # a cycle: error -> traceback -> this frame -> error
    raise InferenceFailedError("the batch failed") from outcome


def test_a_failure_kept_in_the_scope_holds_no_body() -> None:
    state: dict[str, object] = {}
    body = Body()
    alive = weakref.ref(body)

    def handle(body: Body, state: dict[str, object]) -> None:
        try:
            parse(body)
        except MalformedRequestError as error:
            state["failure"] = Failure.of(error)

    handle(body, state)
    del body
    assert alive() is None
    assert state["failure"] == Failure("malformed_request", None)


def test_cycles_among_the_causes_are_broken_and_their_traceback_is_kept_as_text() -> None:
    body = Body()
    alive = weakref.ref(body)
    try:
        keep_in_local(body)
    except InferenceFailedError as error:
        first = Failure.of(error)
        second = Failure.of(InferenceFailedError("another request of the batch"))
    del body
    assert alive() is None
    assert first.reason == second.reason == "inference_failed"
    assert "MalformedRequestError: not a number" in str(first.traceback)
    assert "in keep_in_local" in str(first.traceback)


async def test_a_future_that_its_waiter_reaches_holds_nothing() -> None:
    body = Body()
    alive = weakref.ref(body)

    async def wait(body: Body) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(DeadlineExceededError("too late"))
        await future  # future -> error -> traceback -> this frame -> future
        del body

    try:
        await wait(body)
    except DeadlineExceededError as error:
        failure = Failure.of(error)
    assert failure == Failure("deadline_exceeded", None)
    del body
    assert alive() is None


def test_what_the_service_did_not_raise_on_purpose_is_internal_with_its_traceback() -> None:
    try:
        int("x")
    except ValueError as error:
        failure = Failure.of(error)
    assert failure.reason == "internal"
    assert str(failure.traceback).startswith("Traceback (most recent call last)")
