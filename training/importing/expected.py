"""Collects all facts that a network expects: each has a value and an origin, or the import is refused with choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from contract import ColorMode
from imaging import Target
from training.errors import ImportRefusedError
from training.importing import preprocessing, resizing
from training.importing.examples import TRIED_FITS, Trial, find_examples, try_all, winner
from training.importing.head import Ending, find_ending
from training.importing.labels import Labels
from training.importing.onnx_source import input_size
from training.importing.pixel_rule import check_order, normalisation, pixel_rule, then_scaled
from training.importing.preprocessing import Preprocessing
from training.importing.proof import random_images
from training.importing.resizing import WITH_ANTIALIAS_ONLY, Resizing
from training.importing.sorted_values import check_not_sorted
from training.importing.source import Source
from training.importing.stated import Fact

_LOOKED_AT = 8
_SHOWN_LABELS = 6
_TWICE = ("unit,twice", "signed,twice")


@dataclass(frozen=True, slots=True)
class Expected:
    """All facts that are needed to serve a network.

    Attributes:
        size: (height, width) of the input, in pixels.
        channels: 1 or 3.
        labels: of the classes.
        preprocessing: of pixel values.
        resizing: how a picture becomes an input.
        ending: how values become probabilities.
        notes: for the user.
        trials: all trials, where the preprocessing was measured.
    """

    size: tuple[int, int]
    channels: int
    labels: Fact[Labels]
    preprocessing: Fact[Preprocessing]
    resizing: Fact[Resizing]
    ending: Ending
    notes: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()

    @property
    def color_mode(self) -> ColorMode:
        """RGB or grey."""
        return "RGB" if self.channels == 3 else "L"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, all different."""
        return self.labels.value.class_names

    @property
    def target(self) -> Target:
        """How pictures are decoded and resized, both in the service and here."""
        return self.resizing.value.target(self.size, self.color_mode)

    def rows(self) -> list[tuple[str, str, str]]:
        """Rows (fact, value, origin) to print."""
        height, width = self.size
        return [
            ("input", f"{height} x {width}, {'RGB' if self.channels == 3 else 'grey'}", "the graph"),
            ("labels", f"{len(self.names)}: {_listed(self.names)}", self.labels.origin),
            ("pixels", self.preprocessing.value.describe(), self.preprocessing.origin),
            ("resize", self.resizing.value.describe(), self.resizing.origin),
            ("head", f"{self.ending.head}, the graph computes {self.ending.values_are}", "the graph and its answers"),
        ]


def _listed(names: tuple[str, ...]) -> str:
    """The first labels and the last, in the order of the network's classes."""
    if len(names) <= _SHOWN_LABELS:
        return ", ".join(names)
    return f"{', '.join(names[: _SHOWN_LABELS - 2])}, ..., {names[-1]}"


def resolve(source: Source, resizing_flags: Mapping[str, Any], examples: Path | None, *, measures: bool) -> Expected:
    """Completes the stated facts to all that is needed.

    Args:
        source: the network.
        resizing_flags: options of the resize other than ``--resize``; None where not given.
        examples: a folder of pictures, or None.
        measures: find the preprocessing by measuring it on the examples.

    Raises:
        ImportRefusedError: something is not known, with the choices; or two statements contradict each other.
    """
    said = source.stated
    size = input_size(source.taken, said, str(source.origin))
    channels = source.taken.channels
    pixels = pixel_rule(str(source.origin), said.preprocessing, source.scales_inside, source.inside)
    check_order(source, said.preprocessing or pixels, measures=measures)
    knows_resize = said.resizing is not None and not said.resizing.is_assumed
    missing = [
        text
        for fact, text in (
            (said.labels, "what its classes are called: --labels labels.txt (one label a line, or JSON)"),
            (said.resizing or measures, f"how a picture becomes its input:\n{resizing.CHOICES}"),
            (pixels or measures, f"what it expects of pixel values{_hint(source)}:\n{preprocessing.CHOICES}"),
        )
        if not fact
    ]
    if said.labels is None:
        raise _unknown(source, missing)
    stated = said.resizing or Fact(source.resizes, "")
    filters = _filter_flags(resizing_flags)
    resize = Fact(_changed(stated.value, resizing_flags), stated.origin + filters, is_assumed=stated.is_assumed)
    resize.value.check_input(*size)
    is_whole = source.taken.dtype == np.uint8
    if measures and is_whole:
        raise ImportRefusedError(
            f"--preprocessing measured: {source.origin} takes uint8, so it scales pixels itself; say raw"
        )
    probe = (pixels or Fact(Preprocessing.parse("raw" if is_whole else "unit"), "")).value
    probe.check_channels(channels)
    probe.check_type(source.taken.dtype)
    ending = _ending(source, probe, size)
    said.labels.value.check_count(ending.classes, said.labels.origin)
    complete = Expected(size, channels, said.labels, Fact(probe, ""), resize, ending)
    trials: list[Trial] = []
    if measures or pixels is None or said.resizing is None:
        own = pixels.value if pixels and (source.scales_inside or not measures) else None
        rules = [own, *(Preprocessing.parse(name) for name in _TWICE if measures)] if own else None
        trials = _tried(source, complete, examples, rules, resize.value if knows_resize else None)
        table = "\n".join(["accuracy on the example pictures:", *(trial.row() for trial in trials)]) if trials else ""
        if not measures or not trials:
            raise _unknown(
                source, missing or ["--preprocessing measured needs --examples with a sub-folder a label"], table
            )
        try:
            best = winner(trials, resize.value if resize.is_assumed else None, own)
        except ImportRefusedError as error:
            raise ImportRefusedError(str(error), table) from None
        origin = f"measured: {best.right} of {best.images} example pictures are right"
        if best.preprocessing.is_twice:
            pixels = Fact(best.preprocessing, f"{origin}; {then_scaled(source.scales_inside)}")
        elif own is None:
            pixels = Fact(best.preprocessing, origin)
        if not knows_resize:
            is_kept = best.resizing == resize.value and resize.is_assumed
            resize = resize if is_kept else Fact(best.resizing, origin + filters)
    assert pixels is not None  # noqa: S101  for the type checker: an unknown rule was refused above
    notes = _notes(resize)
    return replace(complete, preprocessing=pixels, resizing=resize, notes=notes, trials=tuple(trials))


def _ending(source: Source, probe: Preprocessing, size: tuple[int, int]) -> Ending:
    said = source.stated
    images = random_images((*size, source.taken.channels), _LOOKED_AT)
    values = source.answer_pictures(images, probe)
    check_not_sorted(source, values)
    labels = len(said.labels.value.names) if said.labels else None
    return find_ending(
        source.last,
        values,
        said.head.value if said.head else None,
        labels,
        origin=str(source.origin),
        said=said.values.value if said.values else None,
    )


def _tried(
    source: Source,
    complete: Expected,
    examples: Path | None,
    rules: Sequence[Preprocessing] | None,
    resizing: Resizing | None,
) -> list[Trial]:
    """Tries the rules that are not known, which are None."""
    if examples is None:
        return []
    found = find_examples(examples, complete.names)
    if not found.classes or complete.ending.head == "multi-label":
        return []
    return try_all(
        source,
        complete.ending,
        found,
        size=complete.size,
        color_mode=complete.color_mode,
        rules=rules,
        fits=[resizing] if resizing else [complete.resizing.value.with_fit(fit) for fit in TRIED_FITS],
    )


def _hint(source: Source) -> str:
    if source.scales_inside or source.inside is None:
        return ""
    return f" (its graph {normalisation(source.inside)}: --preprocessing unit is right)"


def _changed(rule: Resizing, flags: Mapping[str, Any]) -> Resizing:
    if flags.get("antialias") is None and flags.get("interpolation") in WITH_ANTIALIAS_ONLY:
        rule = replace(rule, antialias=True)
    return replace(rule, **{name: value for name, value in flags.items() if value is not None})


def _filter_flags(flags: Mapping[str, Any]) -> str:
    """The options that change the filter, to follow the origin of the rule that they change."""
    interpolation, antialias = flags.get("interpolation"), flags.get("antialias")
    words = [f"--interpolation {interpolation}"] * (interpolation is not None)
    words += [f"--{'' if antialias else 'no-'}antialias"] * (antialias is not None)
    return "".join(f"; {word}" for word in words)


def _notes(resize: Fact[Resizing]) -> tuple[str, ...]:
    rule = resize.value
    ways = [
        f"JPEGs are decoded {'in full' if rule.full_jpeg_decode else 'at a reduced size'}",
        f"EXIF orientation is {'applied' if rule.exif else 'not applied'}",
        f"colour profiles are {'converted' if rule.icc else 'ignored'}",
    ]
    return (f"as the source does: {', '.join(ways)} (--jpeg-decode, --exif, --icc)",)


def _unknown(source: Source, missing: list[str], table: str = "") -> ImportRefusedError:
    listed = "\n".join(f"- {text}" for text in missing)
    measured = f"\n{table}\n--preprocessing measured takes the best one, if it is clear" if table else ""
    return ImportRefusedError(
        f"{source.origin} does not say everything, and nothing is guessed. Not known:", listed + measured
    )
