"""Checks all pictures before training: each is read once, in parallel, and all problems are reported together.

::

    Listing -> every picture read -> duplicates -> Survey: pixels of good pictures, troubles -> report: counts, sizes
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track

from training.data.listing import Entry, Listing, Trouble
from training.data.picture import PictureRule, ReadPicture
from training.errors import DataError
from training.files import one_line

_LISTED = 50
_NAMED = 10


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """The pictures of a listing after reading.

    Attributes:
        listing: the listed pictures.
        good: the pictures to use, with their pixels.
        troubles: everything that cannot be used.
        repeated: how many pictures were left out because their class already has an identical one.
    """

    listing: Listing
    good: tuple[tuple[Entry, ReadPicture], ...]
    troubles: tuple[Trouble, ...]
    repeated: int


def survey(listing: Listing, rule: PictureRule) -> Survey:
    """Reads every picture.

    Args:
        listing: the pictures.
        rule: how a picture becomes the network's input.
    """
    read, unreadable = [], []
    console = Console(stderr=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda entry: _read(entry, rule), listing.entries)
        shown: Iterable[ReadPicture | Trouble] = track(
            answers,
            f"reading {len(listing.entries):,} pictures",
            total=len(listing.entries),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        for entry, answer in zip(listing.entries, shown, strict=True):
            if isinstance(answer, Trouble):
                unreadable.append(answer)
            else:
                read.append((entry, answer))
    good, duplicates, repeated = _without_duplicates(read)
    return Survey(listing, tuple(good), (*listing.troubles, *unreadable, *duplicates), repeated)


def _read(entry: Entry, rule: PictureRule) -> ReadPicture | Trouble:
    try:
        return rule.read(entry.path, entry.content)
    except DataError as error:
        return Trouble("cannot be read", entry.path, str(error).removeprefix(f"{entry.path} "))


def _without_duplicates(
    read: list[tuple[Entry, ReadPicture]],
) -> tuple[list[tuple[Entry, ReadPicture]], list[Trouble], int]:
    """(pictures to use, troubles, how many repeat another picture of their class and part)."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for index, (_, picture) in enumerate(read):
        same[hashlib.sha256(np.ascontiguousarray(picture.pixels).data).digest()].append(index)
    out: set[int] = set()  # by place in the list, since two rows of a table may be equal
    troubles = []
    repeated = 0
    for indices in same.values():
        entries = [read[index][0] for index in indices]
        if len({entry.label for entry in entries}) > 1:
            for entry in entries:
                other = next(item for item in entries if item.label != entry.label)
                what = f"the same as {other.path}: {entry.label} here, {other.label} there"
                if other.path == entry.path:  # named by two rows of a table
                    what = f"its rows say {entry.label} and {other.label}"
                troubles.append(Trouble("one picture in two classes", entry.path, what))
            out.update(indices)
            continue
        kept = min(indices, key=lambda index: ("", "train", "val", "test").index(read[index][0].part))
        first = read[kept][0]
        for index, entry in zip(indices, entries, strict=True):
            if entry.part != first.part:
                same_as = f"row {first.row} names it too" if first.path == entry.path else f"the same as {first.path}"
                what = f"{same_as}: a picture that was learnt from cannot measure accuracy"
                troubles.append(Trouble(f"in {entry.part} and in {first.part}", entry.path, what))
                out.add(index)
            elif index != kept:
                repeated += 1
                out.add(index)
    return [item for index, item in enumerate(read) if index not in out], troubles, repeated


def report(found: Survey) -> None:
    """Prints counts, sizes, and everything that is hidden or wrong, on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    console.print(f"{found.listing.place}: {len(found.listing.entries):,} files, {len(found.good):,} pictures to use")
    parts = sorted({entry.part for entry, _ in found.good}, key=("", "train", "val", "test").index)
    counts = Counter((entry.label, entry.part) for entry, _ in found.good)
    for label in sorted({label for label, _ in counts}):
        numbers = ", ".join(f"{part} {counts[label, part]:,}".strip() for part in parts)
        console.print(f"  {one_line(label)}: {numbers}")
    if found.good:
        sizes = sorted((picture.width * picture.height, picture.width, picture.height) for _, picture in found.good)
        least, middle, most = (f"{w}x{h}" for _, w, h in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
        console.print(f"  sizes in pixels: {least} to {most}, half of them up to {middle}")
    if found.repeated:
        console.print(f"  {found.repeated:,} more are the same as another of their class: each is used once")
    if hidden := found.listing.hidden:
        names = [one_line(str(path.relative_to(found.listing.place))) for path in hidden[:_NAMED]]
        names += ["..."] * (len(hidden) > _NAMED)
        console.print(f"  left out, since their names begin with a dot ({len(hidden):,}): {', '.join(names)}")
    kinds: dict[str, list[Trouble]] = defaultdict(list)
    for trouble in found.troubles:
        kinds[trouble.kind].append(trouble)
    for kind, troubles in kinds.items():
        console.print(f"{kind} ({len(troubles):,}):")
        for trouble in troubles[:_LISTED]:
            console.print(f"  {one_line(str(trouble.path))}: {one_line(trouble.what)}")
        if len(troubles) > _LISTED:
            console.print(f"  and {len(troubles) - _LISTED:,} more")
