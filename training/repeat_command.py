"""The command that makes a version again, for its model card."""

import argparse
import shlex
from pathlib import Path

from training.data.sources import BUILT_IN


def repeating(options: argparse.Namespace, side: int, color_mode: str) -> str:
    """The command without the version's number and the places of its data and checkpoints.

    Args:
        options: of ``convoy train``.
        side: width and height of the input, in pixels.
        color_mode: ``RGB`` or ``L``.

    Returns:
        One line for a shell; file names and texts are quoted where they must be.
    """
    words = ["convoy", "train", options.name, "--recipe", options.recipe]
    words += ["--mirrored-view"] * options.mirrored_view
    words += _given(options, "epochs", "limit", "folds", "precision", "teacher", "start_from")
    words += ["--seed", str(options.seed)]
    if options.name not in BUILT_IN:
        words += ["--data-dir", "PICTURES"]
        if options.backbone is None:
            words += ["--size", str(side), "--color-mode", color_mode]
        else:
            words += ["--backbone", Path(options.backbone).name]
            words += _given(options, "size", "color_mode", "preprocessing")
        words += ["--skip-bad"] * options.skip_bad
        words += [" ".join(word.split()) for word in _given(options, "licence", "citation")]
    return shlex.join(words)


def _given(options: argparse.Namespace, *names: str) -> list[str]:
    """The flags that have a value, each followed by it."""
    values = {name: getattr(options, name) for name in names}
    given = [(f"--{name.replace('_', '-')}", str(value)) for name, value in values.items() if value is not None]
    # A value that begins with a dash would be taken for a flag.
    return [word for flag, text in given for word in ([f"{flag}={text}"] if text.startswith("-") else [flag, text])]
