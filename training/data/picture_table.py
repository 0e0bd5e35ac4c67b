"""A CSV or Parquet table that names pictures and their classes, instead of a folder for each class.

Parquet may hold the pictures themselves, as Hugging Face's data sets do: ``image`` is a struct of ``bytes`` and
``path``, and ``label`` a number, whose name stands in the file's metadata.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.data.listing import PARTS, Entry, Listing, Trouble, canonical
from training.errors import DataError
from training.files import MEBIBYTE, read_file, reason

_PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "picture")
_LABELS = ("label", "class", "category", "target", "class_name")
_PARTS = ("split", "part", "subset", "set")
_MAX_BYTES = 1024 * MEBIBYTE
_LONGEST_PATH = 1024
_SUFFIXES = (".csv", ".tsv", ".parquet")
_BEYOND = "(beyond the last column)"


def is_table(place: Path) -> bool:
    """Whether a file's name says that it is a table."""
    return place.suffix.lower() in _SUFFIXES and place.is_file()


def list_table(table: Path) -> Listing:
    """Lists the pictures that a table names; paths are relative to its folder.

    Args:
        table: a CSV, TSV or Parquet file with a column for paths (``path``, ``file``, ``filename``, ``image``), or in
            Parquet the pictures themselves, one for labels (``label``, ``class``, ``category``) and perhaps one for
            ``split`` (train, val, test).

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
        found = _picture(row.get(path_column), path_column, table)
        named, content = (found, None) if isinstance(found, str) else (f"{table.name}:{number}", found)
        label = canonical(_text(row.get(label_column)).strip())
        said = _text(row.get(part_column)).strip().lower() if part_column else ""
        if _BEYOND in row:
            troubles.append(
                Trouble("row of more cells than columns", Path(f"{table}:{number}"), "quote cells with the delimiter")
            )
        elif not named or not label:
            troubles.append(Trouble("row without path or label", Path(f"{table}:{number}"), "both are needed"))
        elif len(named) > _LONGEST_PATH:
            what = f"a path has at most {_LONGEST_PATH:,} characters, this one has {len(named):,}"
            troubles.append(Trouble("too long a path", Path(f"{table}:{number}"), what))
        elif said and said not in PARTS:
            troubles.append(
                Trouble("unknown part", Path(f"{table}:{number}"), f"{said!r}: train, val or test is right")
            )
        else:
            entries.append(Entry(table.parent / named, label, PARTS[said] if said else "", content))
    return Listing(table, tuple(entries), tuple(troubles))


def _picture(cell: Any, column: str, table: Path) -> str | bytes:
    """A picture's path, or its content.

    Raises:
        DataError: the cell is neither.
    """
    if isinstance(cell, Mapping) and cell.keys() <= {"bytes", "path"}:
        cell = cell.get("bytes") or cell.get("path")
    if not isinstance(cell, str | bytes | None):
        raise DataError(
            f"{table}: its column {column!r} holds {type(cell).__name__}; paths, the bytes of PNG or JPEG files, or "
            "structs of bytes and path are needed"
        )
    return cell or ""


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _csv_rows(table: Path) -> Sequence[Mapping[str, Any]]:
    try:
        text = read_file(table, _MAX_BYTES).decode("utf-8-sig")
        start = text[:4096].splitlines()[:1]
        delimiter = max(",;\t", key=start[0].count) if start else ","
        return [dict(row) for row in csv.DictReader(io.StringIO(text), restkey=_BEYOND, delimiter=delimiter)]
    except (UnicodeDecodeError, csv.Error):
        raise DataError(f"{table} is not a CSV table in UTF-8") from None


def _parquet_rows(table: Path) -> Sequence[Mapping[str, Any]]:
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra that only this needs
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise DataError(f"{table}: reading Parquet needs pyarrow (pip install pyarrow); CSV needs nothing") from None
    try:
        content = parquet.read_table(io.BytesIO(read_file(table, _MAX_BYTES)))
        rows: Iterable[dict[str, Any]] = content.to_pylist()
    except pa.ArrowException:
        raise DataError(f"{table} is not a Parquet table, or a damaged one") from None
    names = _class_names((content.schema.metadata or {}).get(b"huggingface", b"{}"))
    return [row | {key: _named(row.get(key), known) for key, known in names.items()} for row in rows]


def _class_names(metadata: bytes) -> dict[str, list[str]]:
    """The names of the classes by column, from the metadata that Hugging Face's ``datasets`` writes."""
    try:
        features = json.loads(metadata)["info"]["features"]
        return {key: list(map(str, item["names"])) for key, item in features.items() if item.get("names")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _named(value: Any, names: Sequence[str]) -> str | None:
    """A class's name; None where the row has none, which ``datasets`` writes as -1."""
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None


def _column(table: Path, row: Mapping[str, Any], names: Sequence[str]) -> str:
    found = [name for name in row if name and name.lower() in names]
    if len(found) != 1:
        says = f"it has {', '.join(map(repr, found or row)) or 'no column'}"
        raise DataError(f"{table} needs one column called {', '.join(names)}: {says}")
    return found[0]
