"""Your own pictures, of any sizes and formats: a folder with one sub-folder for each class, or a table of paths.

:mod:`training.data.listing` says how folders are laid out, :mod:`training.data.picture_table` what a table holds. Where
no test set is given, about a tenth of the pictures is held out as one, chosen by their content, so that a picture stays
in it when others are added.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from contract import MOST_LABEL_CHARACTERS, DataSource, is_text
from training.data.dataset import DataSet, LabelledImages
from training.data.holdout import lowest
from training.data.learnt_pictures import digests
from training.data.listing import Entry, Listing, Part, Trouble, canonical, list_folder
from training.data.picture import PictureRule
from training.data.picture_table import is_table, list_table
from training.data.skip_list import check_replaceable, write_skip_list
from training.data.survey import Survey, report, survey
from training.errors import DataError

_TEST_SHARE = 0.1
_NAMED = 20  # classes, in a message


def load(
    place: Path,
    *,
    name: str,
    rule: PictureRule,
    source: DataSource,
    labels: Sequence[str] = (),
    skipped: Path | None = None,
) -> DataSet:
    """Reads every picture into memory, and reports all pictures and all problems.

    Args:
        place: a folder of pictures, or a CSV or Parquet table of their paths and labels.
        name: of the data set.
        rule: how a picture becomes the network's input.
        source: publisher's name, licence and citation.
        labels: the classes in their order; alphabetical where empty.
        skipped: file for the names of files that cannot be used, which are then left out; None makes them an error.

    Returns:
        uint8 [N, H, W, C], classes in the order of ``labels``.

    Raises:
        DataError: something is missing, damaged or in the wrong place; the message names the first problem only.
    """
    if skipped is not None:
        check_replaceable(skipped)
    listing = list_table(place) if is_table(place) else list_folder(place)
    known = tuple(map(canonical, labels))
    found = survey(listing, rule)
    if rule.served is None:
        found = _of_several_pictures(found)
    found = _of_known_classes(found, known)
    report(found)
    if skipped is not None:
        write_skip_list(skipped, found.troubles)
    elif found.troubles:
        raise _refusal(found.troubles)
    known = known or tuple(sorted({entry.label for entry, _ in found.good if entry.part != "test"}))
    if len(known) < 2:
        said = f"pictures of at least two classes are needed{', each in a folder' * place.is_dir()}"
        raise DataError(f"{place}: {said}; it has good ones of {len(known)}")
    data = _data_set(found, known, name=name, rule=rule, source=source, skipped=skipped is not None)
    return replace(data, labels=tuple(labels) or known)


def _of_several_pictures(found: Survey) -> Survey:
    """Reports classes of one picture as troubles, where a part of each class is held out for testing."""
    if any(entry.part == "test" for entry, _ in found.good):
        return found
    counts = Counter(entry.label for entry, _ in found.good if entry.part != "val")
    good, troubles = [], []
    for entry, picture in found.good:
        if entry.part == "val" or counts[entry.label] > 1:
            good.append((entry, picture))
            continue
        what = f"class {entry.label} has a single picture: at least one for training and one for testing are needed"
        troubles.append(Trouble("class of one picture", entry.row or entry.path.parent, what))
    return Survey(found.listing, tuple(good), (*found.troubles, *troubles), found.repeated)


def _of_known_classes(found: Survey, labels: Sequence[str]) -> Survey:
    """Reports classes that the model does not know, or that only the validation or test set has, as troubles."""
    found = _of_possible_names(found)
    learnt = {entry.label for entry, _ in found.good if entry.part in ("", "train")}
    known = set(labels) or learnt
    foreign: dict[tuple[str, Part], list[Entry]] = defaultdict(list)
    for entry, _ in found.good:
        if entry.label not in known:
            foreign[entry.label, entry.part].append(entry)
    names = ", ".join(sorted(known)[:_NAMED]) + ", ..." * (len(known) > _NAMED)
    troubles = []
    for (label, part), entries in foreign.items():
        pictures = "1 picture" if len(entries) == 1 else f"{len(entries):,} pictures"
        wrong = "is none of the classes" if labels else f"is only in {part}: the classes to learn are"
        what = f"class {label} ({pictures}) {wrong} {names}"
        place = entries[0].row or entries[0].path.parent
        troubles.append(Trouble("unknown class", place, what, len(entries)))
    good = tuple(item for item in found.good if item[0].label in known)
    return Survey(found.listing, good, (*found.troubles, *troubles), found.repeated)


def _of_possible_names(found: Survey) -> Survey:
    """Reports classes whose names the model's metadata cannot hold as troubles."""
    impossible: dict[str, list[Entry]] = defaultdict(list)
    for entry, _ in found.good:
        if not is_text(entry.label, most=MOST_LABEL_CHARACTERS):
            impossible[entry.label].append(entry)
    what = f"a class has a name of 1 to {MOST_LABEL_CHARACTERS} characters in UTF-8, without control characters"
    troubles = [
        Trouble("impossible class name", entries[0].row or entries[0].path.parent, what, len(entries))
        for entries in impossible.values()
    ]
    good = tuple(item for item in found.good if item[0].label not in impossible)
    return Survey(found.listing, good, (*found.troubles, *troubles), found.repeated)


def _refusal(troubles: Sequence[Trouble]) -> DataError:
    first, count = troubles[0], len(troubles)
    return DataError(
        f"{count} {'problem was' if count == 1 else 'problems were'} found, all listed above; the first: "
        f"{first.path} {first.what} ({first.kind}). Correct them, or leave these files out with --skip-bad"
    )


def _data_set(
    found: Survey, labels: tuple[str, ...], *, name: str, rule: PictureRule, source: DataSource, skipped: bool
) -> DataSet:
    listing = found.listing
    train = _images(found, labels, ("", "train"))
    validation, test = (_images(found, labels, (part,)) for part in ("val", "test"))
    if train is None:
        raise DataError(f"{listing.place} holds no picture to learn from")
    if test is None:
        count, where = len(train), f" of {_said(listing)} train" if any(entry.part for entry, _ in found.good) else ""
        train, test = _hold_out(train, labels)
        note = (
            f"{len(test):,} of the {count:,} pictures{where}, chosen by their content, were held out as the test set, "
            "at least one of each class; the network never saw them."
        )
    else:
        note = f"The test set is {_said(listing)} test."
    notes = [note]
    if validation is not None:
        notes.append(f"The validation set is {_said(listing)} val.")
    if found.repeated:
        notes.append(f"{found.repeated} pictures that are the same as another of their class were left out.")
    if skipped and found.troubles:
        left_out = sum(item.files for item in found.troubles)
        notes.append(f"Left out (--skip-bad): {left_out:,} of the files and folders, which could not be used.")
    return DataSet(
        name,
        labels,
        train,
        test,
        source,
        rule.color_mode,
        rule.fit,
        rule.polarity,
        tuple(notes),
        validation,
        is_own=True,
    )


def _said(listing: Listing) -> str:
    return f"what {listing.place.name} calls" if listing.place.is_file() else f"the folder {listing.place.name}/"


def _images(found: Survey, labels: Sequence[str], parts: Sequence[Part]) -> LabelledImages | None:
    """The pictures of some parts, in the order of labels and names; None where there are none."""
    chosen = [(labels.index(entry.label), picture) for entry, picture in found.good if entry.part in parts]
    if not chosen:
        return None
    chosen.sort(key=lambda item: item[0])
    classes = np.array([index for index, _ in chosen], np.int64)
    return LabelledImages(np.stack([picture.pixels for _, picture in chosen]), classes)


def _hold_out(images: LabelledImages, labels: Sequence[str]) -> tuple[LabelledImages, LabelledImages]:
    """(training images, test images): about a tenth is for testing, at least one picture of each class.

    The only picture of a class is for testing; where a network is to learn from them, such classes were refused before.
    """
    counts = np.bincount(images.classes, minlength=len(labels))
    if counts.max() == 1:
        raise DataError("each class has a single picture: one class at least needs two")
    kept, test = lowest(digests(images), images.classes, _TEST_SHARE)
    alone = counts[images.classes[kept]] == 1
    return images.take(kept[~alone]), images.take(np.sort(np.concatenate([test, kept[alone]])))
