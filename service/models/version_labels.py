"""Names of versions such as ``stable`` and ``canary``, by which TF Serving's clients ask for a version.

::

    models/<name>/version_labels       stable=1
                                       canary=2

A label means the version that the file says, and no other: there is none that is always there.

Source: https://www.tensorflow.org/tfx/serving/serving_config, "Assigning String Labels to Model Versions".
"""

import re
from collections.abc import Mapping
from typing import Final

from contract import is_version
from service.errors import ModelNotFoundError

_LABEL: Final = re.compile(r"(?![0-9]+$)[A-Za-z0-9_]{1,64}")
_RIGHT: Final = "a label of letters, digits and '_', not of digits only, and a version, as stable=2"


class VersionLabels:
    """What the labels of each model mean."""

    def __init__(self) -> None:
        self._said: Mapping[str, str] = {}
        self._versions: dict[str, dict[str, str]] = {}
        self._faults: dict[str, str] = {}

    def read(self, said: Mapping[str, str]) -> bool:
        """Reads what the file ``version_labels`` of each model says; no label of a file with a fault is used.

        Returns:
            Whether that is a change.
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
        """The version that each label of a model means."""
        return self._versions.get(name, {})

    def faults(self) -> list[str]:
        """Why files cannot be used."""
        return list(self._faults.values())

    def version(self, name: str, label: str) -> str:
        """The version that a label means, served or not.

        Raises:
            ModelNotFoundError: the model has no such label; says which it has.
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
        ValueError: a line that is no label and version, or a label that is given twice.
    """
    labels: dict[str, str] = {}
    if text.startswith("unreadable: "):  # what is said of a file that cannot be read
        raise ValueError(text)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        label, sign, version = (part.strip() for part in line.partition("="))
        if not sign or _LABEL.fullmatch(label) is None or not is_version(version):
            raise ValueError(f"line {number}, {line.strip()[:64]!r}, must be {_RIGHT}")
        if label in labels:
            raise ValueError(f"the label {label!r} is given twice")
        labels[label] = version
    return labels
