"""JSON documents of the dialects: requests with pictures in base64 or as numbers, and answers that list labels."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from contract import ModelMetadata
from service.api.json_writing import STEP_NUMBERS, join_lists, write
from service.api.problems import LONGEST_DETAIL, Explanation, shorten
from service.classifier import Classification
from service.decision import rank
from service.decoding import BoundedJson
from service.errors import MalformedRequestError, TooLargeError
from service.http.asgi import Reply

JSON = b"application/json"
_ELEMENTS_A_PICTURE = 8
_OTHER_ELEMENTS = 256
_OTHER_LISTS = 64

Document = dict[str, Any]
Ranked = list[tuple[str, np.float32]]


def read_document(body: bytes, max_images: int, right: str, numbers_keys: Sequence[str] = ()) -> Document:
    """Parses a request.

    Args:
        body: the whole body.
        max_images: most pictures allowed; a body that can hold more is refused before it is parsed.
        right: what is allowed, for error messages, such as ``send ...``.
        numbers_keys: members whose lists of numbers are cut out before parsing.

    Returns:
        The object, with a :class:`service.decoding.LongText` or :class:`service.decoding.NumberList` in place of each
        long part.

    Raises:
        MalformedRequestError: not a JSON object, or a member that is given twice.
        TooLargeError: more elements than ``max_images`` pictures need.
    """
    bounded = BoundedJson(body, *numbers_keys, most_lists=max_images + _OTHER_LISTS)
    if bounded.has_more(b",[{", _ELEMENTS_A_PICTURE * max_images + _OTHER_ELEMENTS):
        raise TooLargeError(f"the JSON has more elements than the {max_images} images allowed would need; {right}")
    if bounded.is_long(max_images):
        raise TooLargeError("the JSON is longer than its images need; it holds too many blanks or digits")
    try:
        document = bounded.parse()
    except MalformedRequestError as error:
        raise MalformedRequestError(f"{error}; {right}") from None
    if not isinstance(document, dict):
        raise MalformedRequestError(f"the JSON is not of the right form; {right}")
    if (name := bounded.repeated_member(document)) is not None:
        raise MalformedRequestError(f"the JSON's member {name[:64]!r} is given twice in one object")
    return document


def reject_others(document: Document, known: Sequence[str], what: str) -> None:
    """Raises MalformedRequestError where an object has unknown members, which would otherwise be ignored."""
    if unknown := [name for name in document if name not in known]:
        raise MalformedRequestError(f"unknown {what} {unknown[0][:64]!r}; known: {', '.join(known)}")


def read_object(document: Document, name: str) -> Document:
    """A member that must be an object; empty where there is none."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedRequestError(f"`{name}` must be an object")
    return value


def each(result: Classification, tell: Callable[[Ranked], Any], top_k: int) -> orjson.Fragment:
    """A JSON list with an element for each picture.

    Args:
        result: the classification.
        tell: makes the element from the labels with their probabilities, the highest first.
        top_k: how many labels; where the model has fewer, all.
    """
    labels, probabilities = result.model.metadata.class_names, result.probabilities
    step = max(1, STEP_NUMBERS // min(top_k, len(labels)))

    def lists() -> Iterator[list[Any]]:
        for at in range(0, len(probabilities), step):
            yield [tell(ranked) for ranked in _rank(labels, probabilities[at : at + step], top_k)]

    return join_lists(lists())


def only(result: Classification, tell: Callable[[Ranked], Any], top_k: int) -> Any:
    """The element of :func:`each` for the only picture."""
    return tell(next(_rank(result.model.metadata.class_names, result.probabilities, top_k)))


def rows(result: Classification) -> orjson.Fragment:
    """A JSON list with the values of each picture, as the original network answers them.

    These are the probabilities in the order of the model's labels, or that of the second label alone.
    """
    values = result.probabilities[:, -values_a_row(result.model.metadata) :]
    probabilities = np.ascontiguousarray(values)
    step = max(1, STEP_NUMBERS // probabilities.shape[1])
    return join_lists(probabilities[at : at + step] for at in range(0, len(probabilities), step))


def values_a_row(metadata: ModelMetadata) -> int:
    """How many values a row of :func:`rows` has."""
    return 1 if metadata.one_unit else len(metadata.class_names)


def _rank(labels: Sequence[str], probabilities: NDArray[np.float32], top_k: int) -> Iterator[Ranked]:
    for row, columns in zip(probabilities, rank(probabilities, top_k).tolist(), strict=True):
        yield [(labels[column], row[column]) for column in columns]


def reply(document: Any) -> Reply:
    """An answer of status 200."""
    return Reply(200, write(document), JSON, [])


def tell_error(explanation: Explanation) -> Reply:
    """Makes ``{"error": "..."}``, the error document of most dialects."""
    status, detail, headers = explanation
    return Reply(status.value, orjson.dumps({"error": shorten(detail, LONGEST_DETAIL)}), JSON, headers)
