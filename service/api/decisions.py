"""What predictions get, on request only, for those who decide by them; `service/decision` decides it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from contract import ModelMetadata
from service.api.parameters import Parameters
from service.classifier import Classification
from service.decision.abstention import abstains
from service.decoding import Upload, read_images
from service.errors import MalformedRequestError
from service.models.receipt import Asked, write_receipt


def check_decisions(metadata: ModelMetadata, parameters: Parameters) -> None:
    """Checks before a model runs that it can decide what is asked.

    Raises:
        MalformedRequestError: it cannot; says what it can.
    """
    if parameters.min_confidence is not None and metadata.multi_label:
        raise MalformedRequestError(
            "min_confidence is for models of which one label is right; a picture may have several labels of "
            f"{metadata.name}, each with a probability of its own: leave it out, and compare `probabilities`"
        )


def decide(result: Classification, parameters: Parameters, uploads: Sequence[Upload] | bytes) -> list[dict[str, Any]]:
    """Decides what a request asks for.

    Args:
        result: the classification of N pictures.
        parameters: of the request.
        uploads: the N pictures, or the whole .npy file.

    Returns:
        N objects: members that each prediction gets, or gets instead of its own.
    """
    decisions: list[dict[str, Any]] = [{} for _ in result.probabilities]
    if parameters.min_confidence is not None:
        _abstain(result, parameters.min_confidence, decisions)
    if parameters.receipt:
        _add_receipts(result, parameters, uploads, decisions)
    return decisions


def _abstain(result: Classification, min_confidence: float, decisions: list[dict[str, Any]]) -> None:
    highest = result.probabilities.max(axis=1)
    for place in np.flatnonzero(abstains(result.probabilities, min_confidence)).tolist():
        reason = f"the most probable label has {highest[place]:.4g}, less than min_confidence {min_confidence:g}"
        decisions[place] |= {"label": None, "index": None, "reason": reason}


def _add_receipts(
    result: Classification, parameters: Parameters, uploads: Sequence[Upload] | bytes, decisions: list[dict[str, Any]]
) -> None:
    prepare = parameters.prepare or "none"
    if isinstance(uploads, bytes):
        images = read_images(uploads, result.model.target)
        asked = [Asked("pixels", np.ascontiguousarray(image).data, prepare) for image in images]
    else:
        asked = [Asked("picture", upload.data, prepare) for upload in uploads]
    for one, row, decision in zip(asked, result.probabilities, decisions, strict=True):
        decision["receipt"] = write_receipt(result.model, one, row, result.batch_size)
