"""JSON for clients, written in steps where it is long: one call of the writer holds Python's global lock to its end."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

STEP_NUMBERS = 16_384
"""Numbers or texts that are written in one step, which takes some milliseconds."""


def write(document: Any) -> bytes:
    """Writes a document, in which NumPy's arrays and numbers may stand."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def join_lists(lists: Iterable[Any]) -> orjson.Fragment:
    """One list of several, each of which is written by itself.

    Args:
        lists: none of them empty.
    """
    return orjson.Fragment(b"[%b]" % b",".join(write(some)[1:-1] for some in lists))


def in_steps(elements: NDArray[np.float32] | Sequence[str]) -> Any:
    """A flat list for :func:`write`: as it is where it is short, otherwise written already."""
    if len(elements) <= STEP_NUMBERS:
        return elements
    return join_lists(elements[at : at + STEP_NUMBERS] for at in range(0, len(elements), STEP_NUMBERS))
