"""How models and versions may be called, which are folders and parts of URLs, and what answers call their classes."""

import re
from collections import Counter

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")

NAME_RULE = "lower case letters, digits, '.', '_' and '-', at most 64, the first a letter or digit"
VERSION_RULE = "a whole number from 1 to 999999999, without leading zeros"


def is_model_name(name: str) -> bool:
    """Whether a model may be called ``name``: see :data:`NAME_RULE`."""
    return _NAME.fullmatch(name) is not None


def is_version(version: str) -> bool:
    """Whether a version may be called ``version``: see :data:`VERSION_RULE`."""
    return _VERSION.fullmatch(version) is not None


def name_classes(labels: tuple[str, ...], class_ids: tuple[str, ...] | None) -> tuple[str, ...]:
    """What answers call each class: its label, with its id in brackets where other classes have the same label."""
    if class_ids is None:
        return labels
    times = Counter(labels)
    return tuple(
        label if times[label] == 1 else f"{label} ({class_id})"
        for label, class_id in zip(labels, class_ids, strict=False)
    )
