"""Optional members of predictions that support decisions; `service/decision` computes them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from contract import CoverageLevel, ModelMetadata
from contract.held_out import LEAST_FAMILIARITY
from service.api.parameters import Parameters
from service.classifier import Classification
from service.decision.abstention import abstains
from service.decision.familiarity import familiarity_of
from service.decision.label_sets import label_sets
from service.decoding import Upload, read_images
from service.errors import MalformedRequestError
from service.models.receipt import Asked, write_receipt

_LOOP_NUMBERS: Final = 4096
_LOOP_IMAGES: Final = 32
_UNFAMILIAR: Final = (
    f"the picture looks less familiar to the model than {1 - LEAST_FAMILIARITY:.0%} of held-out pictures: it may show "
    "something that the model has not learned"
)


def check_decisions(metadata: ModelMetadata, parameters: Parameters) -> None:
    """Checks, before a model runs, that it supports the decisions that a request asks for.

    Raises:
        MalformedRequestError: it does not; the message says what it supports.
    """
    if metadata.multi_label:
        _refuse_those_of_one_label(metadata.name, parameters)
    if parameters.coverage is not None:
        find_level(metadata, parameters.coverage)
    if parameters.familiarity and metadata.familiarity is None:
        raise MalformedRequestError(
            f"familiarity is not available for {metadata.name} version {metadata.version}: its file has no values of "
            "held-out pictures. `convoy calibrate` adds them; leave it out here"
        )


def _refuse_those_of_one_label(name: str, parameters: Parameters) -> None:
    for decision, is_asked in (
        ("min_confidence", parameters.min_confidence is not None),
        ("coverage", parameters.coverage is not None),
        ("familiarity", parameters.familiarity),
    ):
        if is_asked:
            raise MalformedRequestError(
                f"{decision} is for models that give a picture one label; {name} may give it several labels, each with "
                "its own probability: leave it out, and compare `probabilities`"
            )


def find_level(metadata: ModelMetadata, coverage: float) -> CoverageLevel:
    """The thresholds of a level.

    Raises:
        MalformedRequestError: the model has no such level; the message names those that it has.
    """
    levels = () if metadata.conformal is None else metadata.conformal.levels
    for level in levels:
        if level.coverage == coverage:
            return level
    name = f"{metadata.name} version {metadata.version}"
    if not levels:
        raise MalformedRequestError(
            f"coverage is not available for {name}: its file has no thresholds from held-out pictures. `convoy "
            "calibrate` adds them; leave it out here"
        )
    known = ", ".join(f"{level.coverage:g}" for level in levels)
    raise MalformedRequestError(f"coverage is {coverage:g}; of {name} it can be {known}")


def is_much(result: Classification) -> bool:
    """Whether :func:`decide` would block the event loop for more than a few milliseconds."""
    return result.probabilities.size > _LOOP_NUMBERS or len(result.probabilities) > _LOOP_IMAGES


def decide(result: Classification, parameters: Parameters, uploads: Sequence[Upload] | bytes) -> list[dict[str, Any]]:
    """Computes the decisions that a request asks for.

    Args:
        result: the classification of N pictures.
        parameters: of the request.
        uploads: the N pictures, or the whole .npy file.

    Returns:
        N objects with members for the predictions; a member that a prediction has already is replaced.
    """
    decisions: list[dict[str, Any]] = [{} for _ in result.probabilities]
    if parameters.min_confidence is not None:
        _abstain(result, parameters.min_confidence, decisions)
    if parameters.coverage is not None:
        level, names = find_level(result.model.metadata, parameters.coverage), result.model.metadata.class_names
        for columns, decision in zip(label_sets(result.probabilities, level), decisions, strict=True):
            decision["label_set"] = [names[column] for column in columns.tolist()]
    if parameters.familiarity and (known := result.model.metadata.familiarity) is not None:
        shares = familiarity_of(result.probabilities, result.familiarity, known)
        for share, decision in zip(shares.tolist(), decisions, strict=True):
            decision["familiarity"] = round(share, 4)
    if parameters.receipt:
        _add_receipts(result, parameters, uploads, decisions)
    return decisions


def warn_of_unfamiliar(decisions: Sequence[Mapping[str, Any]], warnings: dict[int, list[dict[str, str]]]) -> None:
    """Adds a warning to those of each picture that looks less familiar than 95 % of held-out pictures."""
    for place, decision in enumerate(decisions):
        if decision.get("familiarity", 1.0) < LEAST_FAMILIARITY:
            warnings.setdefault(place, []).append({"code": "unfamiliar", "detail": _UNFAMILIAR})


def _abstain(result: Classification, min_confidence: float, decisions: list[dict[str, Any]]) -> None:
    highest = result.probabilities.max(axis=1)
    for place in np.flatnonzero(abstains(result.probabilities, min_confidence)).tolist():
        # All digits of the answer, since 0.89999 would be 0.9 with fewer.
        least, probability = (np.format_float_positional(value, trim="-") for value in (min_confidence, highest[place]))
        reason = f"the most probable label has {probability}, less than min_confidence {least}"
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
