"""Answers of ``/predict``: JSON, or an array where many pictures are sent."""

from collections.abc import Sequence

from service.api.compression import compress
from service.api.decisions import decide, warn_of_unfamiliar
from service.api.parameters import NO_PARAMETERS, Parameters
from service.api.plain_answer import write_plain
from service.api.prediction_json import Picked, write_predictions
from service.api.problems import picture_problem
from service.classifier import Classification
from service.decision.warnings import warn
from service.decoding import NPY_MEDIA_TYPE, Upload, write_array
from service.errors import ImageFault
from service.http.asgi import Headers, Reply

JSON = b"application/json"
MEDIA_TYPES = (JSON, NPY_MEDIA_TYPE.encode())
LOOP_NUMBERS = 32_768
"""Answers with more probabilities take more than about 10 ms to write, so they are written in a thread."""
MOST_LABELS_IN_FULL = 100
"""For models with more labels, answers have every label's probability only on request."""
_IN_FULL = Picked()
TOP_K = 5
"""Length of ``top`` where the request gives no number."""


def answer(
    result: Classification,
    media_type: bytes,
    parameters: Parameters = NO_PARAMETERS,
    filenames: Sequence[str | None] | None = None,
    faults: Sequence[ImageFault] = (),
    *,
    uploads: Sequence[Upload] | bytes = (),
    accept_encoding: bytes | None = None,
) -> Reply:
    """Writes an answer.

    Args:
        result: the classification.
        media_type: one of ``MEDIA_TYPES``.
        parameters: of the request; they say what the answer lists.
        filenames: of the pictures that were classified; None where none has one.
        faults: pictures that were not classified; each is reported at its index among all pictures.
        uploads: the pictures that were classified, or the whole .npy file.
        accept_encoding: the request's header; JSON is compressed where it accepts gzip.

    Returns:
        The answer to send.
    """
    headers: Headers = [(b"server-timing", server_timing(result))]
    if media_type != JSON:
        return Reply(200, write_array(result.probabilities), media_type, headers)
    metadata = result.model.metadata
    warnings = _warn(result) if result.seen else None
    decisions = None
    if parameters is not NO_PARAMETERS and parameters.ask_decisions():
        decisions = decide(result, parameters, uploads)
        warnings = {} if warnings is None else warnings
        warn_of_unfamiliar(decisions, warnings)
    picked = _pick(parameters, len(metadata.class_names))
    said = metadata.name, metadata.version, metadata.class_names, result.probabilities
    if picked is _IN_FULL and len(result.probabilities) == 1 and not (warnings or faults or metadata.multi_label):
        body = write_plain(*said, None if filenames is None else filenames[0])
    else:
        body = write_predictions(
            *said,
            picked,
            multi_label=metadata.multi_label,
            filenames=filenames,
            failures={fault.index: _failed(fault) for fault in faults} if faults else None,
            warnings=warnings,
            decisions=decisions,
        )
    return compress(Reply(200, body, JSON, headers), accept_encoding)


def _pick(parameters: Parameters, labels: int) -> Picked:
    if parameters is NO_PARAMETERS and labels <= MOST_LABELS_IN_FULL:
        return _IN_FULL
    kind, top_k = parameters.probabilities, parameters.top_k
    if kind is None:
        kind = "all" if labels <= MOST_LABELS_IN_FULL else "top"
    if kind == "top" and top_k is None:
        top_k = TOP_K
    return Picked(top_k, kind == "all")


def _warn(result: Classification) -> dict[int, list[dict[str, str]]]:
    found = {seen.place: [warning._asdict() for warning in warn(seen)] for seen in result.seen}
    return {index: warnings for index, warnings in found.items() if warnings}


def _failed(fault: ImageFault) -> dict[str, object]:
    named = {"file": fault.filename} if fault.filename else {}
    return {**named, "error": picture_problem(fault)}


def server_timing(result: Classification) -> bytes:
    """The stages of a request as a ``Server-Timing`` header's value, in milliseconds (W3C Server Timing)."""
    return b"decode;dur=%.3f, queue;dur=%.3f, inference;dur=%.3f, batch;desc=%d" % (
        result.decode_s * 1e3,
        result.queue_s * 1e3,
        result.inference_s * 1e3,
        result.batch_size,
    )
