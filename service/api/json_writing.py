"""Writes JSON; long JSON in steps, since one call of the writer holds Python's global lock until it ends."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

STEP_NUMBERS = 16_384
"""Numbers or texts that are written in one step, which takes some milliseconds."""


def write(document: Any) -> bytes:
    """Writes a document, which may contain NumPy arrays and numbers."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def join_lists(lists: Iterable[Any]) -> orjson.Fragment:
    """Joins several lists into one; each is written separately.

    Args:
        lists: none of them empty.
    """
    return orjson.Fragment(b"[%b]" % b",".join(write(some)[1:-1] for some in lists))


def in_steps(elements: NDArray[np.float32] | Sequence[str]) -> Any:
    """Prepares a flat list for :func:`write`: a short one is unchanged, a long one is written already, in steps."""
    if len(elements) <= STEP_NUMBERS:
        return elements
    return join_lists(elements[at : at + STEP_NUMBERS] for at in range(0, len(elements), STEP_NUMBERS))
