"""Lists of labels are read in every usual format."""

import argparse
import os
from pathlib import Path

import pytest

from training.errors import ImportRefusedError
from training.importing.command import add_arguments, flags_of
from training.importing.labels import Labels


@pytest.mark.parametrize(
    ("name", "content", "names", "ids"),
    [
        ("a.txt", "cat\n\n dog \n", ("cat", "dog"), ()),
        ("a.txt", "\ufeffKatze\r\nHund\r\n", ("Katze", "Hund"), ()),
        ("a.json", '["cat", "dog"]', ("cat", "dog"), ()),
        ("a.txt", "kind 0\nkind 1", ("kind 0", "kind 1"), ()),
        ("a.txt", "1 euro\n2 euro", ("1 euro", "2 euro"), ()),
        ("a.txt", "1 euro\n10 euro\n2 euro", ("1 euro", "10 euro", "2 euro"), ()),
        ("a.txt", "type-1\ntype-2", ("type-1", "type-2"), ()),
        ("a.txt", "0-1\n1-2", ("0-1", "1-2"), ()),
        ("a.txt", '"blue" whale\norca, black', ('"blue" whale', "orca, black"), ()),
        ("a.txt", "0 Class 1\r\n1 Class 2\r\n", ("Class 1", "Class 2"), ()),
        ("a.txt", "0 n02012849 crane\n1 n03126707 crane", ("crane", "crane"), ("n02012849", "n03126707")),
        ("a.txt", "healthy\nAMD 1\nDR 2", ("healthy", "AMD 1", "DR 2"), ()),
        ("a.json", '{"0": "Boeing 1", "1": "Airbus 0"}', ("Boeing 1", "Airbus 0"), ()),
        ("a.json", '{"1": "dog", "0": "cat"}', ("cat", "dog"), ()),
        ("a.json", '{"dog": 1, "cat": 0}', ("cat", "dog"), ()),
        ("a.json", '{"id2label": {"0": "cat", "1": "dog"}}', ("cat", "dog"), ()),
        (
            "a.json",
            '{"0": ["n02012849", "crane"], "1": ["n03126707", "crane"]}',
            ("crane", "crane"),
            ("n02012849", "n03126707"),
        ),
        ("a.txt", "n02012849 crane\nn03126707 crane, machine", ("crane", "crane, machine"), ("n02012849", "n03126707")),
    ],
)
def test_labels_are_read_in_every_form(
    name: str, content: str, names: tuple[str, ...], ids: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    labels = Labels.read(tmp_path / name)
    assert (labels.names, labels.ids) == (names, ids)


def test_equal_names_are_told_apart_by_their_ids() -> None:
    labels = Labels(("crane", "crane"), ("n02012849", "n03126707"))
    assert labels.class_names == ("crane (n02012849)", "crane (n03126707)")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("cat\ncat", "occurs twice"),
        ("cat", "at least two"),
        ('{"0": "a", "2": "b"}', "without a gap"),
        ('{"a": 0, "b": 0}', "same index"),
        ("[1, 2]", "not text"),
        ("{", "not JSON"),
        ("cat\tblack\ndog", "control character"),
        (f"cat\n{'x' * 300}", "more than 256"),
        ("0,cat\n1,dog", "holds its number"),
        ("1: cat\n2: dog", "holds its number"),
        ("00 cat\n01 dog", "holds its number"),
        ("0 euro\n1 euro", "occurs twice"),
        ("0 1 cat\n1 0 dog", "holds its number"),
        ("cat,0\ndog,1", "holds its number"),
        ("1: dog\n0: cat", "holds its number"),
        ("1 dog\n0 cat", "holds its number"),
        ("2 dog\n1 cat", "holds its number"),
        ("cat 0\ndog 1", "holds its number"),
        ("dog 2\ncat 1", "holds its number"),
        ('"1","dog"\n"0","cat"', "holds its number"),
        ("1. dog\n0. cat", "holds its number"),
        ("1-dog\n0-cat", "holds its number"),
        ("dog (1)\ncat (0)", "holds its number"),
        ("dog=1\ncat=0", "holds its number"),
        ("dog,1,mammal\nhen,0,bird", "holds its number"),
        ("label,index\ndog,1\ncat,0", "holds its number"),
        ("names:\n  0: cat\n  1: dog", "holds its number"),
        ('["1: dog", "0: cat"]', "holds its number"),
        ("# classes\ncat\ndog", "is a comment"),
        ("['cat', 'dog']", "one label a line, or JSON"),
        ("cat, dog, hen", "it has one line; a classifier has at least two labels. It needs one label a line"),
        ('{"class_names": ["cat", "dog"]}', "needs one label a line, or JSON"),
        ('"cat"\n"dog"', "quotes or commas"),
        ("'cat',\n'dog'", "quotes or commas"),
        ("cat,\ndog,\nhen", "quotes or commas"),
        ('["\\"cat\\"", "\\"dog\\""]', "give them without quotes and commas"),
    ],
)
def test_labels_that_cannot_be(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "labels").write_text(content)
    with pytest.raises(ImportRefusedError, match=said):
        Labels.read(tmp_path / "labels")


def test_a_label_may_have_any_character_that_the_contract_allows() -> None:
    assert Labels.from_json(["caf\u00a0noir", "dog"], "labels").names == ("caf\u00a0noir", "dog")


def test_a_pipe_is_no_list_of_labels(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels")
    with pytest.raises(ImportRefusedError, match="labels cannot be read: not a regular file"):
        Labels.read(tmp_path / "labels")


def test_two_cranes_of_a_numbered_list_are_told_apart_by_their_numbers() -> None:
    labels = Labels.from_json({"1": "crane", "0": "crane", "2": "heron"}, "id2label")
    assert labels.class_names == ("crane (0)", "crane (1)", "heron")


def test_numbers_that_were_left_out_are_told(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("0 cat\n1 dog\n")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["model.keras", "--name", "own", "--labels", str(tmp_path / "labels.txt")]
    labels = flags_of(parser.parse_args(words)).labels
    assert labels is not None
    assert labels.origin == "--labels labels.txt; without the numbers from 0 on, with which its lines begin"
