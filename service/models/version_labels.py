"""Labels of versions such as ``stable`` and ``canary``, with which clients of TF Serving choose a version.

::

    models/<name>/version_labels       stable=1
                                       canary=2

Only the labels in the file exist; there are no built-in labels.

Source: https://www.tensorflow.org/tfx/serving/serving_config, "Assigning String Labels to Model Versions".
"""

import re
from collections.abc import Mapping
from typing import Final

from contract import is_version
from service.errors import ModelNotFoundError

_LABEL: Final = re.compile(r"(?![0-9]+$)[A-Za-z0-9_]{1,64}")
_BYTE_ORDER_MARK: Final = "\ufeff"  # some editors write it
_RIGHT: Final = "a label of letters, digits and '_', not of digits only, and a version, as stable=2"


class VersionLabels:
    """The version labels of each model."""

    def __init__(self) -> None:
        self._said: Mapping[str, str] = {}
        self._versions: dict[str, dict[str, str]] = {}
        self._faults: dict[str, str] = {}

    def read(self, said: Mapping[str, str]) -> bool:
        """Reads the content of each model's file ``version_labels``; of a file with a fault, no label is used.

        Returns:
            Whether anything has changed.
        """
        if said == self._said:
            return False
        self._said, self._versions, self._faults = dict(said), {}, {}
        for name, text in said.items():
            try:
                self._versions[name] = _read(text)
            except ValueError as error:
                self._faults[name] = f"version_labels of model {name!r} cannot be used: {error}"
        return True

    def of(self, name: str) -> Mapping[str, str]:
        """The version of each label of a model."""
        return self._versions.get(name, {})

    def faults(self) -> list[str]:
        """One message for each file that cannot be used."""
        return list(self._faults.values())

    def version(self, name: str, label: str) -> str:
        """The version of a label, served or not.

        Raises:
            ModelNotFoundError: the model has no such label; the message says which it has.
        """
        labels = self.of(name)
        if label in labels:
            return labels[label]
        if name in self._faults:
            raise ModelNotFoundError(self._faults[name])
        known = f"it has {', '.join(labels)}" if labels else "it has none, which a file version_labels would give it"
        instead = f"; .../versions/{label[:16]} names a version" if label.isdecimal() else ""
        raise ModelNotFoundError(f"model {name!r} has no version label {label[:64]!r}; {known}{instead}")


def _read(text: str) -> dict[str, str]:
    """Reads the file's text.

    Raises:
        ValueError: a line is not a label and a version, or a label is given twice.
    """
    labels: dict[str, str] = {}
    if text.startswith("unreadable: "):  # written by `repository_files` for a file that cannot be read
        raise ValueError(text)
    for number, line in enumerate(text.removeprefix(_BYTE_ORDER_MARK).splitlines(), 1):
        if not line.strip():
            continue
        label, sign, version = (part.strip() for part in line.partition("="))
        if not sign or _LABEL.fullmatch(label) is None or not is_version(version):
            raise ValueError(f"line {number}, {line.strip()[:64]!r}, must be {_RIGHT}")
        if label in labels:
            raise ValueError(f"the label {label!r} is given twice")
        labels[label] = version
    return labels
