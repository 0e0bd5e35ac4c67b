"""Answers of ``/predict``: JSON, or an array where many pictures are sent."""

from service.api.prediction_json import write_predictions
from service.classifier import Classification
from service.decoding import NPY_MEDIA_TYPE, write_array
from service.http.asgi import Headers, Reply

JSON = b"application/json"
MEDIA_TYPES = (JSON, NPY_MEDIA_TYPE.encode())
LOOP_NUMBERS = 32_768
"""Answers with more probabilities take more than about 10 ms, and are written in a thread."""


def answer(result: Classification, media_type: bytes, top_k: int | None) -> Reply:
    """Writes an answer.

    Args:
        result: the classification.
        media_type: one of ``MEDIA_TYPES``.
        top_k: how many labels ``top`` lists; None leaves it out.

    Returns:
        The answer to send.
    """
    headers: Headers = [(b"server-timing", server_timing(result))]
    if media_type != JSON:
        return Reply(200, write_array(result.probabilities), media_type, headers)
    metadata = result.model.metadata
    body = write_predictions(metadata.name, metadata.version, metadata.class_names, result.probabilities, top_k)
    return Reply(200, body, JSON, headers)


def server_timing(result: Classification) -> bytes:
    """The stages of a request as a ``Server-Timing`` header's value, in milliseconds (W3C Server Timing)."""
    return b"decode;dur=%.3f, queue;dur=%.3f, inference;dur=%.3f, batch;desc=%d" % (
        result.decode_s * 1e3,
        result.queue_s * 1e3,
        result.inference_s * 1e3,
        result.batch_size,
    )
