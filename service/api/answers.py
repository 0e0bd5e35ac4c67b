"""Classifications put into words: JSON for people and programs, an array for bulk."""

import numpy as np
import orjson
from numpy.typing import NDArray

from service.api.asgi import Headers, Reply
from service.classifier import Classification
from service.decoding import NPY_MEDIA_TYPE, write_array
from service.errors import UnsupportedMediaTypeError

JSON = b"application/json"
_NPY = NPY_MEDIA_TYPE.encode()
_ANYTHING = (b"*/*", b"application/*", JSON)


def choose_media_type(accept: bytes) -> bytes:
    """Picks the kind of answer that an Accept header asks for.

    Args:
        accept: the header's value; empty accepts anything.

    Returns:
        The media type of the answer.

    Raises:
        UnsupportedMediaTypeError: it accepts neither kind.
    """
    if not accept or accept == b"*/*":
        return JSON
    if _NPY in accept:
        return _NPY
    if any(kind in accept for kind in _ANYTHING):
        return JSON
    raise UnsupportedMediaTypeError(
        f"answers are application/json or {NPY_MEDIA_TYPE}; Accept is {accept[:80].decode('latin-1')!r}"
    )


def answer(result: Classification, media_type: bytes, top_k: int | None) -> Reply:
    """Puts a classification into an answer.

    Args:
        result: to be told.
        media_type: as chosen.
        top_k: how many labels ``top`` lists; None leaves it out.

    Returns:
        The answer to send.
    """
    headers: Headers = [(b"server-timing", server_timing(result))]
    if media_type == _NPY:
        return Reply(200, write_array(result.probabilities), _NPY, headers)
    metadata = result.model.metadata
    document = {
        "model": metadata.name,
        "version": metadata.version,
        "predictions": [prediction(metadata.labels, row, top_k) for row in result.probabilities],
    }
    return Reply(200, orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), JSON, headers)


def prediction(labels: tuple[str, ...], row: NDArray[np.float32], top_k: int | None) -> dict[str, object]:
    """One picture's entry of a JSON answer.

    Args:
        labels: in column order.
        row: its probabilities, float32 [K].
        top_k: how many labels ``top`` lists; None leaves it out.

    Returns:
        Its most probable label, and the probability of every one.
    """
    index = int(row.argmax())
    entry: dict[str, object] = {
        "label": labels[index],
        "index": index,
        "probability": row[index],
        "probabilities": dict(zip(labels, row, strict=True)),
    }
    if top_k is not None:
        best = np.argsort(-row, kind="stable")[:top_k].tolist()
        entry["top"] = [{"label": labels[place], "index": place, "probability": row[place]} for place in best]
    return entry


def server_timing(result: Classification) -> bytes:
    """The stages of a request as a ``Server-Timing`` header's value, in milliseconds (W3C Server Timing)."""
    return b"decode;dur=%.3f, queue;dur=%.3f, inference;dur=%.3f, batch;desc=%d" % (
        result.decode_s * 1e3,
        result.queue_s * 1e3,
        result.inference_s * 1e3,
        result.batch_size,
    )
