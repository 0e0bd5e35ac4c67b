"""A CSV or Parquet table that names pictures and their classes, instead of a folder for each class."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from training.data.listing import PARTS, Entry, Listing, Trouble
from training.errors import DataError
from training.files import MEBIBYTE, read_file, reason

_PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "picture")
_LABELS = ("label", "class", "category", "target", "class_name")
_PARTS = ("split", "part", "subset", "set")
_MAX_BYTES = 1024 * MEBIBYTE
_SUFFIXES = (".csv", ".tsv", ".parquet")


_BEYOND = "(beyond the last column)"


def is_table(place: Path) -> bool:
    """Whether a file's name says that it is a table."""
    return place.suffix.lower() in _SUFFIXES and place.is_file()


def list_table(table: Path) -> Listing:
    """Lists the pictures that a table names; paths are relative to its folder.

    Args:
        table: a CSV, TSV or Parquet file with a column for paths (``path``, ``file``, ``filename``, ``image``), one for
            labels (``label``, ``class``, ``category``) and perhaps one for ``split`` (train, val, test).

    Raises:
        DataError: it cannot be read, or lacks a column.
    """
    try:
        rows = _parquet_rows(table) if table.suffix.lower() == ".parquet" else _csv_rows(table)
        first, *others = rows or [{}]
    except OSError as error:
        raise DataError(f"{table} cannot be read ({reason(error)})") from None
    path_column, label_column = _column(table, first, _PATHS), _column(table, first, _LABELS)
    part_column = next((name for name in first if name.lower() in _PARTS), None)
    entries: list[Entry] = []
    troubles: list[Trouble] = []
    for number, row in enumerate((first, *others), start=2):
        named, label = row.get(path_column) or "", (row.get(label_column) or "").strip()
        said = (row.get(part_column) or "").strip().lower() if part_column else ""
        path = table.parent / named
        if _BEYOND in row:
            troubles.append(
                Trouble("row of more cells than columns", Path(f"{table}:{number}"), "quote cells with the delimiter")
            )
        elif not named or not label:
            troubles.append(Trouble("row without path or label", Path(f"{table}:{number}"), "both are needed"))
        elif said and said not in PARTS:
            troubles.append(
                Trouble("unknown part", Path(f"{table}:{number}"), f"{said!r}: train, val or test is right")
            )
        else:
            entries.append(Entry(path, label, PARTS[said] if said else ""))
    return Listing(table, tuple(entries), tuple(troubles))


def _csv_rows(table: Path) -> Sequence[Mapping[str, str]]:
    try:
        text = read_file(table, _MAX_BYTES).decode("utf-8-sig")
        start = text[:4096].splitlines()[:1]
        delimiter = max(",;\t", key=start[0].count) if start else ","
        return [dict(row) for row in csv.DictReader(io.StringIO(text), restkey=_BEYOND, delimiter=delimiter)]
    except (UnicodeDecodeError, csv.Error):
        raise DataError(f"{table} is not a CSV table in UTF-8") from None


def _parquet_rows(table: Path) -> Sequence[Mapping[str, str]]:
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra that only this needs
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise DataError(f"{table}: reading Parquet needs pyarrow (pip install pyarrow); CSV needs nothing") from None
    try:
        rows: Iterable[Mapping[str, object]] = parquet.read_table(io.BytesIO(read_file(table, _MAX_BYTES))).to_pylist()
    except pa.ArrowException:
        raise DataError(f"{table} is not a Parquet table, or a damaged one") from None
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]


def _column(table: Path, row: Mapping[str, str], names: Sequence[str]) -> str:
    found = [name for name in row if name and name.lower() in names]
    if len(found) != 1:
        says = f"it has {', '.join(map(repr, found or row)) or 'no column'}"
        raise DataError(f"{table} needs one column called {', '.join(names)}: {says}")
    return found[0]
