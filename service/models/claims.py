"""The predictions of an answer, each with its receipt, and which of them belong to a file of pictures.

::

    answer ─ every prediction ─> has a receipt? ─> of the bytes of this file, or of an image in it? ─> a match
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.models.receipt import RECEIPT_VERSION

_MOST_RECEIPT_BYTES: Final = 256 << 20


class VerificationError(Exception):
    """The prediction cannot be repeated from these files; the message says why."""


class Claim(NamedTuple):
    """One prediction of an answer.

    Attributes:
        number: its place in the answer, from 1.
        receipt: its receipt.
        said: the members beside the receipt, with the model and version of the answer; empty for a receipt alone.
    """

    number: int
    receipt: dict[str, Any]
    said: Mapping[str, Any]


class Answer(NamedTuple):
    """A receipt, a prediction, or a whole answer.

    Attributes:
        claims: its predictions that have a receipt, in their order; at least one.
        predictions: how many predictions it has, with a receipt and without.
        is_whole: whether it is a whole answer, which has a prediction for each image that was sent.
    """

    claims: Sequence[Claim]
    predictions: int
    is_whole: bool


class Match(NamedTuple):
    """A prediction that belongs to a file.

    Attributes:
        claim: the prediction.
        image: its image, uint8 [H, W, C], if the file is an array; None if the file is one picture.
    """

    claim: Claim
    image: NDArray[np.uint8] | None


def read_answer(path: Path) -> Answer:
    """Reads the predictions of a file.

    Args:
        path: JSON: a receipt, a prediction, or a whole answer.

    Raises:
        VerificationError: the file is too large, is not JSON, has no receipt, or has one of another version.
        OSError: the file cannot be read.
    """
    try:
        document = json.loads(read_bounded(path, _MOST_RECEIPT_BYTES))
    except (ValueError, RecursionError):
        raise VerificationError(f"{path} is not JSON") from None
    predictions = document.get("predictions") if isinstance(document, dict) else None
    is_whole = isinstance(predictions, list)
    if not isinstance(predictions, list):
        predictions = [document]
    claims = list(_claims(document, predictions))
    if not claims:
        raise VerificationError(f"{path} has no receipt; ask for one with receipt=true")
    return Answer(claims, len(predictions), is_whole)


def read_images(data: bytes) -> Sequence[NDArray[np.uint8]]:
    """The images of an .npy file, each uint8 [H, W, C]; none if the data are something else."""
    if not data.startswith(b"\x93NUMPY"):
        return ()
    try:
        images = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, MemoryError, SyntaxError, TypeError, ArithmeticError, RecursionError, TokenError):
        return ()
    return images if images.ndim == 4 and images.dtype == np.uint8 else ()


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """The content of a file.

    Raises:
        VerificationError: it has more than ``most_bytes``.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise VerificationError(f"{path} has more than {most_bytes} bytes")
    return data


def matches(answer: Answer, data: bytes, images: Sequence[NDArray[np.uint8]]) -> list[Match]:
    """The predictions that belong to a file, in the order of the answer.

    Args:
        answer: the predictions. If there is one for each image, each belongs to the image in its place only.
        data: the content of the file.
        images: the images in it, each uint8 [H, W, C].
    """
    of_file = hashlib.sha256(data).hexdigest()
    digests = [hashlib.sha256(np.ascontiguousarray(image).data).hexdigest() for image in images]
    places = {digest: place for place, digest in enumerate(digests)}
    found = []
    for claim in answer.claims:
        of_pixels = str(claim.receipt.get("pixels_sha256"))
        place = claim.number - 1 if len(digests) == answer.predictions else places.get(of_pixels)
        if claim.receipt.get("picture_sha256") == of_file:
            found.append(Match(claim, None))
        elif place is not None and digests[place] == of_pixels:
            found.append(Match(claim, images[place]))
    return found


def _claims(document: Any, predictions: Sequence[Any]) -> Iterator[Claim]:
    if not isinstance(document, dict):
        return
    if "receipt_version" in document:
        yield Claim(1, _known(document), {})
        return
    shared = {member: document.get(member) for member in ("model", "version")}
    for number, prediction in enumerate(predictions, 1):
        receipt = prediction.get("receipt") if isinstance(prediction, dict) else None
        if isinstance(receipt, dict) and "receipt_version" in receipt:
            yield Claim(number, _known(receipt), shared | prediction)


def _known(receipt: dict[str, Any]) -> dict[str, Any]:
    if receipt["receipt_version"] != RECEIPT_VERSION:
        raise VerificationError(f"only receipts of version {RECEIPT_VERSION} can be read")
    return receipt
