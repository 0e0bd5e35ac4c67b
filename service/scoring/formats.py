"""The formats of the table: CSV, JSON lines and Parquet, each written in parts that are joined at the end."""

import csv
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import ScoringError
from service.scoring.columns import Column

_ENCODING: Final = "utf-8"


class Format(Protocol):
    """One format of the table."""

    def write(self, path: Path, columns: Mapping[str, Column]) -> None:
        """Writes one part."""

    def join(self, parts: Sequence[Path], whole: Path) -> None:
        """Joins the parts, at least one, to the table in their order."""


class CsvFormat:
    """Comma-separated values (RFC 4180), UTF-8, with a header line."""

    def write(self, path: Path, columns: Mapping[str, Column]) -> None:
        """See :class:`Format`."""
        write_rows(path, chain([columns], zip(*(_texts(column) for column in columns.values()), strict=True)))

    def join(self, parts: Sequence[Path], whole: Path) -> None:
        """See :class:`Format`. The header line is that of the first part."""
        with whole.open("wb") as out:
            for number, part in enumerate(parts):
                with part.open("rb") as file:
                    if number:
                        csv_line(file)
                    shutil.copyfileobj(file, out, 1 << 20)


class JsonLinesFormat:
    """One object per line, with the names of the columns as members."""

    def write(self, path: Path, columns: Mapping[str, Column]) -> None:
        """See :class:`Format`."""
        names = list(columns)
        rows = zip(*(list(column) for column in columns.values()), strict=True)
        option = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
        with path.open("wb") as file:
            file.writelines(orjson.dumps(dict(zip(names, row, strict=True)), option=option) for row in rows)

    def join(self, parts: Sequence[Path], whole: Path) -> None:
        """See :class:`Format`."""
        with whole.open("wb") as out:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, out, 1 << 20)


class ParquetFormat:
    """Apache Parquet, written by pyarrow, an optional package.

    Raises:
        ScoringError: it is not installed.
    """

    def __init__(self) -> None:
        try:
            import pyarrow  # noqa: ICN001, PLC0415  an optional package, imported where it is used
            import pyarrow.parquet  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ScoringError("a .parquet table needs the package pyarrow: pip install 'pyarrow>=21'") from error
        self._arrow, self._parquet = pyarrow, pyarrow.parquet

    def write(self, path: Path, columns: Mapping[str, Column]) -> None:
        """See :class:`Format`."""
        arrays = {
            name: self._arrow.array(
                column, self._arrow.float32() if isinstance(column, np.ndarray) else self._arrow.string()
            )
            for name, column in columns.items()
        }
        self._parquet.write_table(self._arrow.table(arrays), path)

    def join(self, parts: Sequence[Path], whole: Path) -> None:
        """See :class:`Format`. Each part becomes a row group."""
        with self._parquet.ParquetWriter(whole, self._parquet.read_schema(parts[0])) as writer:
            for part in parts:
                writer.write_table(self._parquet.read_table(part))


def format_of(path: Path) -> Format:
    """The format for the ending of a table's name.

    Raises:
        ScoringError: the ending is not known, or needs a package that is not installed.
    """
    if path.suffix == ".csv":
        return CsvFormat()
    if path.suffix == ".jsonl":
        return JsonLinesFormat()
    if path.suffix == ".parquet":
        return ParquetFormat()
    raise ScoringError(f"--out {path}: the name of the table ends in .csv, .jsonl or .parquet")


def write_rows(path: Path, rows: Iterable[Iterable[str]]) -> None:
    """Writes a CSV file, its header first."""
    with path.open("w", newline="", encoding=_ENCODING) as file:
        csv.writer(file).writerows(rows)


def csv_line(file: io.BufferedReader) -> None:
    """Skips one line of a CSV file, whose names may hold line breaks in quotation marks."""
    quotes = 0
    while line := file.readline():
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            return


def _texts(column: Column) -> Sequence[str]:
    """Values as text; each number is the shortest text that gives the same float32."""
    if not isinstance(column, np.ndarray):
        return column
    numbers: NDArray[np.float32] = np.ascontiguousarray(column)
    text = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode("ascii")
    return text.split(",") if text else []
