"""``convoy calibrate MODEL FOLDER``: fits thresholds on held-out pictures and writes them into a model's metadata.

::

    model.onnx, held-out pictures ─> probabilities ─> thresholds, familiarity ─> the same graph with more metadata
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from contract import ContractError, ModelMetadata
from imaging import Target
from training.data import sources
from training.data.dataset import LabelledImages
from training.data.holdout import FirstHoldout, Holdout, RandomHoldout
from training.data.learnt_pictures import not_learnt, without_copies
from training.data.listing import canonical, list_folder
from training.data.picture import read_picture
from training.errors import DataError, ModelFileError
from training.files import write_atomically
from training.held_out import LEAST_FAMILIAR, fit_conformal, fit_familiarity, halves, pictures_for
from training.onnx_classifier import OnnxClassifier
from training.onnx_file import with_metadata
from training.trust import Trust, measure_trust, trust_section

SECTION = "## To decide by"


def calibrate(path: Path, folder: Path) -> tuple[ModelMetadata, Trust | None]:
    """Fits the thresholds, writes them into the file, and measures them where there is a test set.

    Args:
        path: a model file; its graph stays as it is, to the bit.
        folder: pictures, a sub-folder for each class, of which those that the model learnt from are left out; or the
            publishers' files of the data set that the model learnt from. Then the recipe says which pictures were held
            out, and, as in training, every second one of them is used, since the temperature was fitted on the others.

    Returns:
        The file's new metadata, and what was measured on the test set; None without one.

    Raises:
        ModelFileError: the file is no model, or its pictures may have several labels each.
        DataError: the pictures are missing, damaged or too few, or it is not known which of them were held out.
    """
    classifier = OnnxClassifier.open(path)
    said = classifier.metadata
    if said.multi_label:
        raise ModelFileError(f"{path}: a picture may have several labels; sets and familiarity are for one right label")
    held_out, test = _pictures(said, folder, path)
    decided = decide(classifier, said, held_out)
    if decided.conformal is None and decided.familiarity is None:
        raise DataError(
            f"{len(held_out)} held-out pictures are too few for any threshold; {LEAST_FAMILIAR} are needed for 0.9, "
            "1,000 for 0.99. Nothing was changed"
        )
    _check_levels(said, decided, path)
    decided = dataclasses.replace(  # what these pictures are too few for stays as it was
        decided,
        conformal=decided.conformal or said.conformal,
        familiarity=decided.familiarity or said.familiarity,
    )
    before = onnx.load(path)
    try:
        content = with_metadata(before, decided)
    except ContractError as error:
        raise ModelFileError(f"{path}: {error}") from error
    if onnx.load_from_string(content).graph.SerializeToString() != before.graph.SerializeToString():
        raise ModelFileError(f"{path}: its graph cannot be written as it was read; nothing was changed")
    trust = None if test is None else measure_trust(*classifier.answers(test.pixels), test.classes, decided)
    record = _read_metrics(path.parent / "metrics.json")  # before anything is written
    write_atomically(path, content)
    _record(path.parent, record, decided, trust)
    return decided, trust


def decide(classifier: OnnxClassifier, said: ModelMetadata, held_out: LabelledImages) -> ModelMetadata:
    """Adds the thresholds and the familiarity to a model's metadata.

    Args:
        classifier: the model as it will be served.
        said: its metadata.
        held_out: pictures that it did not learn from.
    """
    probabilities, familiarity = classifier.answers(held_out.pixels)
    return dataclasses.replace(
        said,
        conformal=fit_conformal(probabilities, held_out.classes),
        familiarity=fit_familiarity(probabilities, familiarity),
    )


def _check_levels(said: ModelMetadata, decided: ModelMetadata, path: Path) -> None:
    """Checks that no level is lost of those that clients may ask for already.

    Raises:
        DataError: the pictures are too few for some of them.
    """
    if said.conformal is None or decided.conformal is None:
        return
    kept = {level.coverage for level in decided.conformal.levels}
    if lost := [level.coverage for level in said.conformal.levels if level.coverage not in kept]:
        levels = ", ".join(f"{coverage:g}" for coverage in lost)
        raise DataError(
            f"{path} would lose the coverage {levels}, for which {decided.conformal.images} held-out pictures are too "
            f"few: {pictures_for(lost[-1]):,} are needed. Nothing was changed"
        )


def _pictures(said: ModelMetadata, folder: Path, model: Path) -> tuple[LabelledImages, LabelledImages | None]:
    """(held out, test set or None)."""
    if not sources.is_published(folder):
        held_out = without_copies(not_learnt(_labelled(said, folder), model, "pictures"), said.labels, folder)
        _warn_of_missing(said, held_out)
        return held_out, None
    holdout = holdout_of(said)
    data = sources.load_for(said, folder)
    _, rows = holdout.rows(data.train)
    return data.train.take(rows[halves(len(rows))[1]]), data.test


def _labelled(said: ModelMetadata, folder: Path) -> LabelledImages:
    """Every picture of a folder of classes, as the service reads it."""
    listing = list_folder(folder)
    if listing.troubles:
        first = listing.troubles[0]
        raise DataError(f"{first.path} {first.what} ({first.kind})")
    if any(entry.part for entry in listing.entries):
        raise DataError(f"{folder} has parts for training and testing: give the folder of the held-out pictures alone")
    names = [canonical(name) for name in said.class_names]
    unknown = [entry for entry in listing.entries if entry.label not in names]
    if unknown or not listing.entries:
        place = unknown[0].path.parent if unknown else folder
        raise DataError(f"{place} is none of the classes {', '.join(said.class_names)}")
    target = Target.of(said)
    pixels = [read_picture(entry.path, target) for entry in listing.entries]
    return LabelledImages.of(pixels, [names.index(entry.label) for entry in listing.entries])


def _warn_of_missing(said: ModelMetadata, held_out: LabelledImages) -> None:
    """Says on standard error which classes have no held-out picture."""
    counts = np.bincount(held_out.classes, minlength=len(said.class_names))
    if missing := [name for name, count in zip(said.class_names, counts, strict=True) if not count]:
        named = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        print(
            f"warning: {len(missing)} of {len(counts)} classes have no held-out picture, and the thresholds are not "
            f"fitted for them: {named}",
            file=sys.stderr,
        )


def holdout_of(said: ModelMetadata) -> Holdout:
    """The recipe's rule of which pictures are held out, from the file's metadata."""
    recipe = said.training.get("recipe")
    rule: Any = recipe.get("holdout") if isinstance(recipe, dict) else None
    try:
        values = dict(rule)
        kind = {"FirstHoldout": FirstHoldout, "RandomHoldout": RandomHoldout}[values.pop("kind")]
        holdout: Holdout = kind(**values)
    except (TypeError, KeyError, ValueError):
        raise DataError(
            f"{said.name} does not say which pictures of its data set it held out: give a folder of pictures that it "
            "did not learn from, a sub-folder for each class"
        ) from None
    return holdout


def _read_metrics(path: Path) -> dict[str, Any] | None:
    """The metrics.json beside a model file; None where there is none."""
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ModelFileError(f"{path} is damaged: correct or remove it; nothing was changed")
    return record


def _unmeasured(said: ModelMetadata) -> str:
    """The section of the card where there is no test set; figures of earlier thresholds would be wrong."""
    images = max(part.images for part in (said.conformal, said.familiarity) if part is not None)
    return f"Thresholds and familiarity are from {images:,} held-out pictures; not measured on a test set.\n"


def _record(folder: Path, record: dict[str, Any] | None, said: ModelMetadata, trust: Trust | None) -> None:
    """Updates the metrics.json and the MODEL_CARD.md beside the file, where they exist."""
    card = folder / "MODEL_CARD.md"
    if record is not None:
        record["decisions"] = trust and trust.to_json()
        write_atomically(folder / "metrics.json", (json.dumps(record, indent=2) + "\n").encode())
    if card.is_file():
        kept, _, rest = card.read_text("utf-8", "surrogateescape").partition(f"\n{SECTION}\n")
        after = rest.partition("\n## ")[2] if rest else ""
        section = _unmeasured(said) if trust is None else trust_section(said, trust)
        text = f"{kept.rstrip()}\n\n{SECTION}\n\n{section}"
        write_atomically(card, (text + (f"\n## {after}" if after else "")).encode(errors="surrogateescape"))
