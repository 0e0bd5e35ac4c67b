"""``convoy verify RECEIPT PICTURE``: repeats a prediction, and compares it with its receipt.

::

    receipt ─ same picture? ─ same model file? ─> as the answer says? ─> decode, run on the CPU ─> same probabilities?

Every prediction that belongs to the picture is compared.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract import is_model_name, is_version
from imaging import Header, PictureError, Target, read
from service.decision.ranking import likely, rank
from service.errors import ConvoyError
from service.inference import GpuPolicy, ModelSession, Provider
from service.inference.repository_files import model_path, read_model
from service.models.claims import Match, VerificationError, matches, read_answer, read_bounded, read_images
from service.models.receipt import describe_fit, software

TOLERANCE: Final = 1e-6
"""Between batches on one kind of provider, a picture's probabilities differ by less than this."""
OTHER_PROVIDER_TOLERANCE: Final = 1e-3
"""The same between a GPU, on which the receipt's prediction may have been made, and the CPU, which repeats it."""

_MOST_PICTURE_BYTES: Final = 256 << 20
_MOST_MODEL_BYTES: Final = 1 << 32
_LONGEST_SHOWN: Final = 120  # room for the versions of all decoders
_SAME, _DIFFERENT, _WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Runs the command.

    Args:
        arguments: without the program's name.

    Returns:
        0 if the repeated prediction is the same; 1 if something differs; 2 if the files cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="convoy verify", description="Repeats a prediction from its receipt, and says whether it is the same."
    )
    parser.add_argument("receipt", type=Path, metavar="RECEIPT", help="JSON: a receipt, or an answer that contains it")
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="the file as it was sent, or an .npy of pixels")
    parser.add_argument(
        "--models-dir", type=Path, default=Path("models"), help="the model repository (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        return _verify(options.receipt, options.picture, options.models_dir)
    except VerificationError as error:
        print(f"error: {error}", file=sys.stderr)
    except ConvoyError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename} cannot be read: {error.strerror}", file=sys.stderr)
    return _WRONG_USE


def _verify(answer_path: Path, picture_path: Path, models_dir: Path) -> int:
    data = read_bounded(picture_path, _MOST_PICTURE_BYTES)
    answer, images = read_answer(answer_path), read_images(data)
    found = matches(answer, data, images)
    if not found:
        print(f"picture   differs: none of {len(answer.claims)} receipts is of {picture_path}")
        return _DIFFERENT
    is_of_array = answer.is_whole and any(match.image is not None for match in found)
    if is_of_array and answer.predictions != len(images):  # an array is answered with one prediction for each image
        numbers = f"{picture_path}: {len(images)}; predictions in the answer: {answer.predictions}"
        print(f"picture   differs: images in {numbers}")
        return _DIFFERENT
    if len(found) < len(images) == answer.predictions:
        missing = f"{len(images) - len(found)} of {len(images)} predictions"
        print(f"picture   differs: {missing} have no receipt of the image in their place in {picture_path}")
        return _DIFFERENT
    among = f", in {len(found)} of {answer.predictions} predictions" if answer.predictions > 1 else ""
    print(f"picture   same: {picture_path}{among}")
    statuses: list[int] = []
    for _, of_model in groupby(found, key=_computed_by):
        statuses.extend(_repeat(list(of_model), data, models_dir, numbered=len(found) > 1))
    if len(found) > 1:
        print(f"\n{statuses.count(_SAME)} of {len(found)} predictions are the same")
    return max(statuses)


def _computed_by(match: Match) -> list[Any]:
    """The model's file and the programs that a receipt names."""
    members = ("model", "version", "model_sha256", *(name for name, _ in software()))
    return [match.claim.receipt.get(member) for member in members]


def _repeat(found: Sequence[Match], data: bytes, models_dir: Path, *, numbered: bool) -> Iterator[int]:
    """Repeats predictions of one model; yields the status of each."""
    receipt = found[0].claim.receipt
    session = _open(receipt, models_dir)
    if session is None:
        yield from (_DIFFERENT for _ in found)
        return
    for name, version in software():
        if receipt.get(name) != version:
            print(f"{name:10}differs: {str(receipt.get(name))[:_LONGEST_SHOWN]!a} then, {version!r} now")
    for match in found:
        if numbered:
            print(f"\nprediction {match.claim.number}")
        yield _repeat_one(match, data, session)
    session.close()


def _repeat_one(match: Match, data: bytes, session: ModelSession) -> int:
    receipt, target = match.claim.receipt, Target.of(session.metadata)
    if other := _other_fit(receipt, target, session.metadata.temperature):
        print(f"fit       differs: the receipt has another {other}, or was changed")
        return _DIFFERENT
    if match.image is None:
        pixels = _decode(data, target.of_strokes if receipt.get("prepare") == "digit" else target)
    elif match.image.shape == target.shape:
        pixels = match.image
    else:
        raise VerificationError(f"the file has images of {match.image.shape}; the model takes {target.shape}")
    names = session.metadata.class_names
    expected = _probabilities(receipt, len(names))
    if wrong := list(_contradictions(match.claim.said, receipt, expected, names)):
        print(f"answer    differs: its receipt does not have this {', '.join(wrong)}; the answer was changed")
        return _DIFFERENT
    return _compare(receipt, expected, session.run(pixels[np.newaxis])[0], names)


def _other_fit(receipt: Mapping[str, Any], target: Target, temperature: float) -> str | None:
    """What of the preparation of pictures is another in a receipt than in the model; None if all is the same."""
    if describe_fit(target) != receipt.get("fit"):
        return "rule of fit"
    return None if receipt.get("temperature") == temperature else "temperature"


def _probabilities(receipt: Mapping[str, Any], classes: int) -> NDArray[np.float64]:
    """The probabilities of a receipt, float64 [K]."""
    then = receipt.get("probabilities")
    if not isinstance(then, list) or len(then) != classes or not all(map(_is_number, then)):
        raise VerificationError(f"the receipt's probabilities are not {classes} numbers")
    expected = np.array(then, np.float64)
    if not np.isfinite(expected).all():
        raise VerificationError("the receipt has probabilities that are not finite")
    return expected


def _contradictions(
    said: Mapping[str, Any], receipt: Mapping[str, Any], expected: NDArray[np.float64], names: tuple[str, ...]
) -> Iterator[str]:
    """The members of a prediction that are not as its receipt has them. Null says nothing: ``min_confidence`` gives it.

    Args:
        said: the prediction.
        receipt: its receipt.
        expected: the probabilities of the receipt, float64 [K].
        names: of the K classes.
    """
    best = int(expected.argmax())
    right = {"model": receipt.get("model"), "version": receipt.get("version"), "label": names[best], "index": best}
    for member, value in right.items():
        if said.get(member) is not None and said[member] != value:
            yield member
    probability, probabilities = said.get("probability"), said.get("probabilities")
    if probability is not None and not _is_near(probability, expected[best]):
        yield "probability"
    if probabilities is not None and not (
        isinstance(probabilities, dict)
        and set(probabilities) == set(names)
        and all(_is_near(probabilities[name], value) for name, value in zip(names, expected, strict=True))
    ):
        yield "probabilities"
    row = expected.astype(np.float32)
    if "labels" in said and said["labels"] != [names[index] for index in likely(row)]:
        yield "labels"
    if "top" in said and not _is_ranking(said["top"], row, names):
        yield "top"


def _is_ranking(top: Any, row: NDArray[np.float32], names: tuple[str, ...]) -> bool:
    """Whether these are the most probable labels of a row of probabilities, float32 [K], in their order."""
    if not isinstance(top, list) or not all(isinstance(entry, dict) for entry in top):
        return False
    columns = rank(row[np.newaxis], len(top))[0].tolist() if top else []
    return len(top) == len(columns) and all(
        entry.get("label") == names[index]
        and entry.get("index") == index
        and _is_near(entry.get("probability"), float(row[index]))
        for entry, index in zip(top, columns, strict=True)
    )


def _is_near(value: Any, expected: float) -> bool:
    return _is_number(value) and abs(value - expected) <= TOLERANCE


def _compare(
    receipt: Mapping[str, Any], expected: NDArray[np.float64], answered: NDArray[np.float32], names: tuple[str, ...]
) -> int:
    off = float(np.abs(expected - answered).max())
    on_cpu = receipt.get("provider") == "cpu"
    allowed = TOLERANCE if on_cpu else OTHER_PROVIDER_TOLERANCE
    for when, row in (("then", expected), ("now", answered)):
        best = int(row.argmax())
        print(f"{when:10}{names[best]} {row[best]:.8g}")
    verdict = "same" if off <= allowed else "differs"
    where = "" if on_cpu else "; the receipt is of another provider than the CPU, which is used here"
    print(f"answer    {verdict}: probabilities differ by at most {off:.1e}, {allowed:g} is allowed{where}")
    return _SAME if off <= allowed else _DIFFERENT


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) <= 1)


def _open(receipt: Mapping[str, Any], models_dir: Path) -> ModelSession | None:
    """Opens the model that the receipt names, on the CPU; None where its file differs."""
    name, version = receipt.get("model"), receipt.get("version")
    if not (isinstance(name, str) and is_model_name(name) and isinstance(version, str) and is_version(version)):
        raise VerificationError("the receipt names no model and version")
    path = model_path(models_dir, name, version)
    content = read_model(path, str(path), _MOST_MODEL_BYTES)
    if hashlib.sha256(content).hexdigest() != receipt.get("model_sha256"):
        print(f"model     differs: {path} is another file than the one that answered")
        return None
    print(f"model     same: {path}")
    policy = GpuPolicy(memory_limit_bytes=0, cuda_graphs=False)
    return ModelSession(
        content, origin=str(path), provider=Provider("cpu"), intra_op_threads=1, max_batch_size=1, gpu=policy
    )


def _decode(data: bytes, target: Target) -> NDArray[np.uint8]:
    try:
        return read(data, target, _admit)
    except PictureError as error:
        raise VerificationError(f"the picture cannot be read: {error}") from None


def _admit(header: Header, target: Target) -> None:
    """Allows pictures of any size, because the service's settings may have allowed them."""
