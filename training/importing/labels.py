"""Reads labels in the usual formats: text file, JSON list, ``id2label``, ``class_indices``, WordNet ids with names."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from contract import MOST_LABEL_CHARACTERS, is_text, name_classes
from training.errors import ImportRefusedError
from training.files import MEBIBYTE, read_file, reason

_WORDNET = re.compile(r"(n\d{8})[\s,:]+(\S.*)")
_PLACEHOLDER = re.compile(r"(LABEL|label|class|Class)_?\d+")
_NUMBERED = (
    re.compile(r"(?P<number>\d+)\s*[,;:|]\s*(?P<rest>\S.*)"),
    re.compile(r"(?P<rest>\S.*?)\s*[,;:|]\s*(?P<number>\d+)"),
    re.compile(r"(?P<rest>[^,;|]+?)\s*[,;|]\s*(?P<number>\d+)\s*[,;|].*"),
)
_COUNTED = re.compile(r"(?P<number>\d+)[ \t]+(?P<rest>\S.*)")
_SPACED_BEFORE = re.compile(r"(?P<number>\d+)(\s+|\s*[.)=_-]\s*(?=\D*[^\W\d_]))(?P<rest>\S.*)")
_SPACED_AFTER = re.compile(r"(?P<rest>\S.*?)(\s+|(?<=[^\W\d_])\s*[(=_-]\s*)\(?(?P<number>\d+)\)?")
_QUOTED = re.compile(r"""(["']).*\1,?""")
_MOST_BYTES = 16 * MEBIBYTE
_FORMS = 'one label a line, or JSON: ["cat", "dog"], {"0": "cat", "1": "dog"} or {"cat": 0, "dog": 1}'


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a classifier's columns.

    Attributes:
        names: in column order, [K].
        ids: of the classes in their publisher's system, such as WordNet, [K]; empty where there are none.
        remark: what was changed in them, to follow their origin; empty where nothing was.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...] = ()
    remark: str = ""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a file.

        Args:
            path: of a text file with one label per line, or of JSON: a list, ``{"0": "cat"}``, ``{"cat": 0}``, or
                ``{"0": ["n02123045", "tabby"]}``. The lines may begin with their numbers from 0 on and a blank, as
                Teachable Machine writes them: their order and the numbers agree.

        Raises:
            ImportRefusedError: it cannot be read, or holds no labels.
        """
        try:
            text = read_file(path, _MOST_BYTES).decode("utf-8-sig")
        except OSError as error:
            raise ImportRefusedError(f"{path} cannot be read: {reason(error)}") from error
        except UnicodeDecodeError:
            raise ImportRefusedError(f"{path} is not UTF-8 text; it needs {_FORMS}") from None
        if path.suffix == ".json" or text.lstrip()[:1] in ("[", "{"):
            try:
                return cls.from_json(json.loads(text), str(path))
            except (ValueError, RecursionError) as error:
                raise ImportRefusedError(f"{path} is not JSON ({error}); it needs {_FORMS}") from None
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if len(lines) == 1:
            raise ImportRefusedError(
                f"{path}: it has one line; a classifier has at least two labels. It needs {_FORMS}"
            )
        counted = [_COUNTED.fullmatch(line) for line in lines]
        if all(match and match["number"] == str(index) for index, match in enumerate(counted)):
            labels = cls._from_lines([match["rest"] for match in counted if match], str(path))
            return replace(labels, remark="; without the numbers from 0 on, with which its lines begin")
        return cls._from_lines(lines, str(path))

    @classmethod
    def from_json(cls, document: Any, origin: str) -> Self:
        """Makes labels from a JSON list or object.

        Args:
            document: as parsed.
            origin: for messages.

        Raises:
            ImportRefusedError: it holds no labels, or leaves some out.
        """
        if isinstance(document, list):
            return cls._from_entries(document, origin)
        if isinstance(document, Mapping) and document:
            if "id2label" in document:
                return cls.from_json(document["id2label"], origin)
            if all(isinstance(value, int) and not isinstance(value, bool) for value in document.values()):
                places = {value: key for key, value in document.items()}
                if len(places) != len(document):
                    raise ImportRefusedError(f"{origin}: two labels have the same index")
            else:
                places = {_index(key, origin): value for key, value in document.items()}
            if sorted(places) != list(range(len(places))):
                raise ImportRefusedError(f"{origin}: the indices are not 0 to {len(places) - 1} without a gap")
            entries = [places[index] for index in range(len(places))]
            if all(isinstance(entry, str) for entry in entries) and len(set(entries)) < len(entries):
                # Names may repeat (ImageNet has two classes "crane"); then the numbers in the file become the ids.
                return cls._checked(entries, [str(index) for index in range(len(entries))], origin)
            return cls._from_entries(entries, origin, is_list=False)  # the indices state the order
        raise ImportRefusedError(f"{origin}: it holds no labels; it needs {_FORMS}")

    def check_count(self, count: int, origin: str) -> None:
        """Checks that there is a label for each column.

        Raises:
            ImportRefusedError: there are more or fewer.
        """
        if len(self.names) != count:
            raise ImportRefusedError(f"{origin}: {len(self.names)} labels, but the network answers {count} classes")

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes in answers, all different: `crane (n02012849)` where two have the same name."""
        return name_classes(self.names, self.ids or None)

    @property
    def are_placeholders(self) -> bool:
        """Whether they are placeholders that exporters write for classes without names (``LABEL_0``)."""
        return all(_PLACEHOLDER.fullmatch(name) for name in self.names)

    @classmethod
    def _from_entries(cls, entries: Sequence[Any], origin: str, *, is_list: bool = True) -> Self:
        if entries and all(isinstance(entry, list) and len(entry) == 2 for entry in entries):
            ids, names = zip(*entries, strict=True)
            return cls._checked(names, ids, origin)
        return cls._from_lines(entries, origin, is_list=is_list)

    @classmethod
    def _from_lines(cls, lines: Sequence[Any], origin: str, *, is_list: bool = True) -> Self:
        if not all(isinstance(line, str) for line in lines):
            raise ImportRefusedError(f"{origin}: a label is not text")
        matches = [_WORDNET.fullmatch(line) for line in lines]
        if lines and all(matches):
            pairs = [(match[1], match[2]) for match in matches if match]
            return cls._checked([name for _, name in pairs], [identity for identity, _ in pairs], origin)
        labels = cls._checked(lines, (), origin)
        if is_list:
            _check_unnumbered(labels.names, origin)
            _check_bare(labels.names, origin)
        return labels

    @classmethod
    def _checked(cls, names: Sequence[Any], ids: Sequence[Any], origin: str) -> Self:
        if len(names) < 2:
            raise ImportRefusedError(f"{origin}: {len(names)} labels; a classifier has at least two")
        if not all(isinstance(text, str) and text.strip() for text in (*names, *ids)):
            raise ImportRefusedError(f"{origin}: a label is empty or not text")
        cleaned = tuple(name.strip() for name in names)
        for text in (*cleaned, *ids):
            if not is_text(text, most=MOST_LABEL_CHARACTERS):
                raise ImportRefusedError(
                    f"{origin}: the label {text[:40]!r} has more than {MOST_LABEL_CHARACTERS} characters, or a tab "
                    "or another control character"
                )
        if len(set(cleaned)) < len(cleaned) and not ids:
            twice = next(name for name in cleaned if cleaned.count(name) > 1)
            raise ImportRefusedError(
                f"{origin}: the label {twice!r} occurs twice, so an answer could not say which of the two it means; "
                "give the classes ids (lines such as `n02012849 crane`) or names that differ"
            )
        if len(set(ids)) < len(ids):
            raise ImportRefusedError(f"{origin}: a class id occurs twice")
        return cls(cleaned, tuple(ids))


def _check_bare(lines: Sequence[str], origin: str) -> None:
    """Checks that the labels do not have the quotes and commas of a printed list, which would be in answers."""
    if all(_QUOTED.fullmatch(line) for line in lines) or all(line.endswith(",") for line in lines[:-1]):
        raise ImportRefusedError(
            f"{origin}: the labels have the quotes or commas of a list, as in {lines[0][:40]!r}; give them without "
            f"quotes and commas, as {_FORMS}"
        )


def _check_unnumbered(lines: Sequence[str], origin: str) -> None:
    """Checks that the labels of a list are not numbered, since the numbers may state another order than the lines."""
    for has_header, numbered in ((False, lines), (True, lines[1:])):
        if len(numbered) > 1 and _are_numbered(numbered, has_header=has_header):
            raise ImportRefusedError(
                f"{origin}: every line holds its number, as in {numbered[0][:40]!r}; give the labels alone, in the "
                'order of the network\'s classes, or JSON: {"0": "cat", ...}'
            )
    if lines and lines[0].startswith("# "):
        raise ImportRefusedError(f"{origin}: {lines[0][:40]!r} is a comment and no label; leave it out")


def _are_numbered(lines: Sequence[str], *, has_header: bool) -> bool:
    """Whether each line begins or ends with the number of its class, counted from 0 or 1, in any order."""
    from_0, from_1 = list(range(len(lines))), list(range(1, len(lines) + 1))

    def find(form: re.Pattern[str]) -> tuple[list[int], set[str]]:
        """(the number of each line, or an empty list; the texts without their numbers)."""
        unquoted = (line.replace('"', "").strip() for line in lines)
        found = [match for line in unquoted if (match := form.fullmatch(line))]
        numbers = [int(match["number"]) for match in found] if len(found) == len(lines) else []
        is_counted = sorted(numbers) in (from_0, from_1)
        return numbers if is_counted else [], {match["rest"] for match in found}

    if any(find(form)[0] for form in _NUMBERED):
        return True
    # After a space it may belong to the label: `1 euro`, `2 euro` or `kind 0`, `kind 1`, but not `1 dog`, `0 cat`.
    before, names = find(_SPACED_BEFORE)
    if before and (before == from_0 or (before != from_1 and len(names) == len(lines))):
        return True
    after, names = find(_SPACED_AFTER)
    # Below a first line without a number, such as `healthy`, these may be grades: `AMD 1`, `DR 2`.
    return not has_header and bool(after) and len(names) == len(lines)


def _index(key: str, origin: str) -> int:
    try:
        return int(key)
    except ValueError:
        raise ImportRefusedError(
            f"{origin}: {key[:40]!r} is neither the index of a class nor a label with its index; it needs {_FORMS}"
        ) from None
