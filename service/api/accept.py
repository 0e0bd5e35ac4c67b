"""Chooses the media type of an answer by the ``Accept`` header.

Source: RFC 9110, section 12.5.1.
"""

from collections.abc import Sequence

from service.errors import MalformedRequestError, NotAcceptableError

_HTML = b"text/html"
_MOST_RANGES = 64
_ANYTHING = (b"", b"*/*")


def choose_media_type(accept: bytes, offered: Sequence[bytes]) -> bytes:
    """Chooses a media type.

    Args:
        accept: the header's value; empty accepts anything.
        offered: the media types that can be written, the default first.

    Returns:
        The media type with the highest weight (``q``). Among equal ones, a type that is listed by name comes before one
        that only a wildcard matches, and then the type that is listed first.

    Raises:
        MalformedRequestError: more than 64 media types are listed, or a weight is not a number from 0 to 1.
        NotAcceptableError: none of ``offered`` is accepted.
    """
    if accept in _ANYTHING or accept == offered[0]:
        return offered[0]
    ranges = accept.lower().split(b",", _MOST_RANGES)
    if len(ranges) > _MOST_RANGES:
        raise MalformedRequestError(f"Accept lists more than {_MOST_RANGES} media types")
    weights: dict[bytes, tuple[int, float]] = {}  # place and q of each range that is listed
    for place, listed in enumerate(ranges):
        media_range, _, parameters = listed.partition(b";")
        weight = read_weight(parameters)
        if weight is None:
            raise MalformedRequestError("a q in Accept is not a number from 0 to 1")
        weights.setdefault(media_range.strip(), (place, weight))
    best, best_rank = None, (0.0, 0, 0)
    for kind in offered:
        for specificity, media_range in enumerate((b"*/*", kind.partition(b"/")[0] + b"/*", kind)[::-1]):
            if media_range in weights:
                place, weight = weights[media_range]
                rank = (weight, -specificity, -place)
                if weight > 0 and (best is None or rank > best_rank):
                    best, best_rank = kind, rank
                break
    if best is None:
        kinds = b" or ".join(offered).decode()
        raise NotAcceptableError(f"answers are {kinds}; Accept is {accept[:80].decode('latin-1')!r}")
    return best


def prefers_html(accept: bytes) -> bool:
    """Whether a client prefers HTML to JSON, as browsers do. Where it accepts neither, it does not."""
    try:
        return choose_media_type(accept, (b"application/json", _HTML)) == _HTML
    except (MalformedRequestError, NotAcceptableError):
        return False


def read_weight(parameters: bytes) -> float | None:
    """The weight (``q``) of a listed value, from its parameters: 1 by default; None if it is no number from 0 to 1."""
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                weight = float(value)
            except ValueError:
                weight = -1.0
            return weight if 0 <= weight <= 1 else None
    return 1.0
