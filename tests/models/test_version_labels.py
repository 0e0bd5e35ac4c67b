"""The permitted content of a model's file ``version_labels``."""

from pathlib import Path

import pytest

from service.errors import ModelNotFoundError
from service.inference.repository_files import survey
from service.models.version_labels import VersionLabels


def test_each_line_names_a_version() -> None:
    labels = VersionLabels()
    assert labels.read({"one": "stable=1\r\n canary = 12 \n\n", "two": ""})
    assert not labels.read({"one": "stable=1\r\n canary = 12 \n\n", "two": ""})
    assert labels.of("one") == {"stable": "1", "canary": "12"}
    assert labels.of("two") == labels.of("three") == {}
    assert labels.version("one", "canary") == "12"
    assert labels.read({"one": "\ufeffstable=1\n"})  # as some editors write it
    assert labels.of("one") == {"stable": "1"}
    assert labels.read({})
    assert labels.of("one") == {}


@pytest.mark.parametrize(
    "text",
    [
        *("stable", "stable=", "=1", "stable=0", "stable=01", "stable=1.0", "stable=1=2", "stable=\u0661"),
        *("1=2", "a-b=1", "a b=1", "\u00e4=1", "a" * 65 + "=1"),
        *("stable=1\nstable=2", "# stable\nstable=1", "unreadable: it is not a regular file"),
    ],
)
def test_a_file_with_a_fault_names_no_version(text: str) -> None:
    labels = VersionLabels()
    labels.read({"one": text, "two": "stable=1"})
    (fault,) = labels.faults()
    assert "version_labels of model 'one' cannot be used: " in fault
    with pytest.raises(ModelNotFoundError, match="cannot be used"):
        labels.version("one", "stable")
    assert labels.version("two", "stable") == "1"


def test_a_file_that_cannot_be_read_is_told_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "one" / "version_labels").mkdir(parents=True)
    labels = VersionLabels()
    labels.read(survey(tmp_path).version_labels)
    assert labels.faults() == ["version_labels of model 'one' cannot be used: unreadable: it is not a regular file"]


def test_a_label_that_is_not_there_is_told_with_those_that_are() -> None:
    labels = VersionLabels()
    labels.read({"one": "stable=1\ncanary=2"})
    with pytest.raises(ModelNotFoundError, match=r"model 'one' has no version label 'beta'; it has stable, canary$"):
        labels.version("one", "beta")
    with pytest.raises(ModelNotFoundError, match=r"'1'; it has stable, canary; .../versions/1 names a version"):
        labels.version("one", "1")
