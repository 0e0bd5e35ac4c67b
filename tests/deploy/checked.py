"""Checks custom resources in a separate process.

The protobuf messages of the ``kserve`` package and of tritonclient conflict in one process.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

CUSTOM_KINDS = frozenset(("InferenceService", "RayService", "ScaledObject", "ServiceMonitor", "ServingRuntime"))

Check = Callable[[dict[str, Any]], list[str]]


@contextmanager
def checking() -> Iterator[Check]:
    """Starts the process, and yields a function that calls :func:`tests.deploy.custom_resources.faults_of` in it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        yield lambda document: process.submit(_faults_of, document).result()


def _faults_of(document: dict[str, Any]) -> list[str]:
    from tests.deploy.custom_resources import faults_of  # noqa: PLC0415  only in the other process

    return faults_of(document)
