"""Keeps the finished parts of a run beside its table until the table is complete, so that a stopped run can go on.

::

    predictions.csv.parts/run.json                 what the answers depend on: model, input, columns
                          000000.csv               predictions of some thousand pictures
                          000000.errors.csv        pictures that could not be scored
                          000000.json              written last; only then the part counts as finished
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from service.errors import ScoringError
from service.file_name import shown_name
from service.scoring.columns import Column
from service.scoring.formats import CsvFormat, Format
from service.scoring.worker import Fault

_RUN: Final = "run.json"
_OWN_FILE: Final = re.compile(r"[0-9]{6,}(?:\.errors)?\.(?:csv|jsonl|parquet|json|tmp)|run\.(?:json|tmp)|whole")


@dataclass(frozen=True, slots=True)
class PartRecord:
    """The contents of a finished part.

    Attributes:
        scored: pictures with a prediction.
        faults: pictures without one.
        names: SHA-256 of the names of all its pictures, in the order of the input.
        confusion: [truth, prediction, count], by index of the label.
    """

    scored: int
    faults: int
    names: str
    confusion: list[list[int]]

    @property
    def pictures(self) -> int:
        """Number of all its pictures."""
        return self.scored + self.faults


class NamesHash:
    """A hash of names in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, name: str) -> None:
        """Adds the next name."""
        self._hash.update(os.fsencode(name) + b"\0")

    def value(self) -> str:
        """The hash of all names so far, as hexadecimal digits."""
        return self._hash.hexdigest()


def folder_of(out: Path) -> Path:
    """The folder of a table's parts."""
    return out.with_name(f"{out.name}.parts")


def is_begun(out: Path) -> bool:
    """Whether a run that was stopped left parts of a table."""
    return (folder_of(out) / _RUN).exists()


def is_error_list(path: Path) -> bool:
    """Whether a file is the list of errors of a run, and not another file of the user."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.readline(64) == b"file,error\r\n"


class Parts:
    """The folder of a run's parts. Only one process at a time can use it.

    Args:
        out: the table.
        table_format: format of the table.
        run: the data that the answers depend on, for JSON.
        resume: whether to continue from existing parts.

    Attributes:
        finished: the records of the existing parts.

    Raises:
        ScoringError: parts exist and ``resume`` is False, or they are of another run; or nothing can be written.
    """

    def __init__(self, out: Path, table_format: Format, run: Mapping[str, object], *, resume: bool) -> None:
        self._out = out
        self._format = table_format
        self._folder = folder_of(out)
        self.finished: list[PartRecord] = []
        try:
            self._begin(json.loads(json.dumps(run)), resume=resume)
        except OSError as error:
            raise ScoringError(f"{error.filename or self._folder}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def write(self, columns: Mapping[str, Column], faults: Sequence[Fault], record: PartRecord) -> None:
        """Writes the next part.

        Raises:
            ScoringError: it cannot be written.
        """
        number = len(self.finished)
        table, errors, said = self._paths(number)
        try:
            self._format.write(table, columns)
            CsvFormat().write(errors, _error_columns(faults))
            _write_whole(said, json.dumps(asdict(record)))
        except OSError as error:
            raise ScoringError(
                f"{error.filename or table}: {error.strerror}; what is finished is kept: go on with --resume"
            ) from error
        self.finished.append(record)

    def join(self, errors: Path) -> None:
        """Writes the table, and the list of errors if there are any, and removes the parts.

        Raises:
            ScoringError: they cannot be written.
        """
        paths = [self._paths(number) for number in range(len(self.finished))]
        try:
            whole = self._folder / "whole"
            self._format.join([table for table, _, _ in paths], whole)
            if any(record.faults for record in self.finished):
                all_errors = errors.with_name(f"{errors.name}.part")  # it may be on another disk than the table
                CsvFormat().join([faults for _, faults, _ in paths], all_errors)
                all_errors.replace(errors)
            elif is_error_list(errors):  # of an earlier run
                errors.unlink()
            whole.replace(self._out)
            shutil.rmtree(self._folder)
        except OSError as error:
            raise ScoringError(
                f"{error.filename or self._out}: {error.strerror}; what is finished is kept: go on with --resume"
            ) from error

    def _begin(self, run: dict[str, Any], *, resume: bool) -> None:
        is_new = not is_begun(self._out)
        if not is_new and not resume:
            raise ScoringError(
                f"a run that was stopped left {self._folder}: go on with --resume, or remove it to start again"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScoringError(f"another run is writing {self._out}") from None
        if is_new:
            self._clear()
            _write_whole(self._folder / _RUN, json.dumps(run, indent=1))
            return
        before = self._read_record(self._folder / _RUN)
        changed = [key for key in {**before, **run} if before.get(key) != run.get(key)]
        if changed:
            told = "; ".join(f"{key} was {before.get(key)}" for key in changed)
            raise ScoringError(f"the run in {self._folder} was another one: {told}. Remove it to start again")
        while all(path.exists() for path in self._paths(len(self.finished))):
            said = self._paths(len(self.finished))[2]
            try:
                self.finished.append(PartRecord(**self._read_record(said)))
            except TypeError:
                raise self._damaged(said) from None

    def _read_record(self, path: Path) -> dict[str, Any]:
        try:
            record = json.loads(path.read_text())
        except (ValueError, RecursionError):  # the machine has lost power while it was written
            record = None
        if not isinstance(record, dict):
            raise self._damaged(path)
        return record

    def _damaged(self, path: Path) -> ScoringError:
        return ScoringError(f"{path} is damaged; remove {self._folder} to start again")

    def _clear(self) -> None:
        """Removes the parts of a run that ended while it removed them, which may be of another model.

        Raises:
            ScoringError: the folder has other files, which would be lost at the end of the run.
        """
        found = sorted(self._folder.iterdir())
        if others := [path.name for path in found if not _OWN_FILE.fullmatch(path.name) or not path.is_file()]:
            raise ScoringError(f"{self._folder} is there already, and {others[0]} in it is no part of a run; remove it")
        for path in found:
            path.unlink()

    def _paths(self, number: int) -> tuple[Path, Path, Path]:
        name = f"{number:06}"
        return (
            self._folder / f"{name}{self._out.suffix}",
            self._folder / f"{name}.errors.csv",
            self._folder / f"{name}.json",
        )


def _write_whole(path: Path, text: str) -> None:
    """Writes a file atomically: if the process ends, the whole file exists or none."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def _error_columns(faults: Sequence[Fault]) -> dict[str, Column]:
    return {"file": [shown_name(fault.name) for fault in faults], "error": [fault.reason for fault in faults]}
