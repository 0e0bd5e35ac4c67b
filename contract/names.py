"""Rules for the names of models and versions, which are folders and parts of URLs, and the names of classes."""

import re
from collections import Counter

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")

NAME_RULE = "lower case letters, digits, '.', '_' and '-', at most 64, the first a letter or digit"
VERSION_RULE = "a whole number from 1 to 999999999, without leading zeros"


def is_model_name(name: str) -> bool:
    """Whether a name is valid for a model, see :data:`NAME_RULE`."""
    return _NAME.fullmatch(name) is not None


def is_version(version: str) -> bool:
    """Whether a version is valid, see :data:`VERSION_RULE`."""
    return _VERSION.fullmatch(version) is not None


def name_classes(labels: tuple[str, ...], class_ids: tuple[str, ...] | None) -> tuple[str, ...]:
    """The name of each class in answers: its label, followed by its id in brackets where labels are equal."""
    if class_ids is None:
        return labels
    times = Counter(labels)
    return tuple(
        label if times[label] == 1 else f"{label} ({class_id})"
        for label, class_id in zip(labels, class_ids, strict=False)
    )
