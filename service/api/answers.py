"""Classifications put into words: JSON for people and programs, an array for bulk."""

from service.api.answer_form import AnswerForm
from service.classifier import Classification
from service.decoding import NPY_MEDIA_TYPE, write_array
from service.errors import UnsupportedMediaTypeError
from service.http.asgi import Headers, Reply

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
    form = AnswerForm.of(metadata.name, metadata.version, metadata.class_names)
    return Reply(200, form.fill(result.probabilities, top_k), JSON, headers)


def server_timing(result: Classification) -> bytes:
    """The stages of a request as a ``Server-Timing`` header's value, in milliseconds (W3C Server Timing)."""
    return b"decode;dur=%.3f, queue;dur=%.3f, inference;dur=%.3f, batch;desc=%d" % (
        result.decode_s * 1e3,
        result.queue_s * 1e3,
        result.inference_s * 1e3,
        result.batch_size,
    )
