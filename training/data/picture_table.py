"""A CSV or Parquet table that names pictures and their classes, instead of a folder for each class.

Parquet may hold the pictures themselves, as Hugging Face's data sets do: ``image`` is a struct of ``bytes`` and
``path``, and ``label`` a number, whose name stands in the file's metadata.
"""

import csv
import io
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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

_Rows = Sequence[tuple[int, Mapping[str, Any]]]


def is_table(place: Path) -> bool:
    """Whether a file's name says that it is a table."""
    return place.suffix.lower() in _SUFFIXES and place.is_file()


def list_table(table: Path) -> Listing:
    """Lists the pictures that a table names; paths are relative to its folder.

    Args:
        table: a CSV, TSV or Parquet file with a column for paths (``path``, ``file``, ``filename``, ``image``), or in
            Parquet the pictures themselves, one for labels (``label``, ``class``, ``category``) and perhaps one for
            ``split`` (train, val, test; where some rows have one, the others are of train).

    Raises:
        DataError: it cannot be read, has no rows, lacks a column or has two of a name.
    """
    try:
        columns, rows = _parquet_rows(table) if table.suffix.lower() == ".parquet" else _csv_rows(table)
    except OSError as error:
        raise DataError(f"{table} cannot be read ({reason(error)})") from None
    repeated = sorted(name for name, count in Counter(columns).items() if name and count > 1)
    if repeated:
        raise DataError(
            f"{table} has two columns called {', '.join(map(repr, repeated))}: rename or remove one of them"
        )
    path_column, label_column = _column(table, columns, _PATHS), _column(table, columns, _LABELS)
    if not rows:
        raise DataError(f"{table} has no rows: one for each picture is needed below the names of the columns")
    part_column = next((name for name in columns if name.lower() in _PARTS), None)
    entries: list[Entry] = []
    troubles: list[Trouble] = []
    for number, row in rows:
        place = Path(f"{table}:{number}")
        found = _picture(row.get(path_column), path_column, table)
        named, content = (found, None) if isinstance(found, str) else (f"{table.name}:{number}", found)
        label = canonical(_text(row.get(label_column), label_column, table).strip())
        said = _text(row.get(part_column), part_column, table).strip().lower() if part_column else ""
        entry = Entry(table.parent / named, label, PARTS.get(said, ""), content, place)
        if _BEYOND in row:
            troubles.append(Trouble("row of more cells than columns", place, "quote cells with the delimiter"))
        elif not named or not label:
            troubles.append(Trouble("row without path or label", place, "both are needed"))
        elif said and said not in PARTS:
            troubles.append(Trouble("unknown part", place, f"{said!r}: train, val or test is right"))
        elif (wrong := _wrong_path(named, entry)) is not None:
            troubles.append(wrong)
        else:
            entries.append(entry)
    if any(entry.part for entry in entries):
        entries = [entry if entry.part else replace(entry, part="train") for entry in entries]
    return Listing(table, tuple(entries), tuple(troubles))


def _wrong_path(named: str, entry: Entry) -> Trouble | None:
    place = entry.row or entry.path
    if len(named) > _LONGEST_PATH:
        what = f"a path has at most {_LONGEST_PATH:,} characters, this one has {len(named):,}"
        return Trouble("too long a path", place, what)
    # On Linux a file's name may contain backslashes; os.path.exists takes any text.
    if entry.content is None and "\\" in named and not os.path.exists(entry.path):  # noqa: PTH110
        return Trouble("path with backslashes", place, f"write paths with /: {named!r}")
    return None


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


def _text(cell: Any, column: str, table: Path) -> str:
    """A cell as text; empty where it holds nothing, and without a fraction of zero, which pandas adds beside gaps.

    Raises:
        DataError: it holds several values, or bytes.
    """
    if isinstance(cell, Mapping | list | bytes):
        raise DataError(f"{table}: its column {column!r} holds {type(cell).__name__}; one text or number is needed")
    if isinstance(cell, float):
        return "" if math.isnan(cell) else str(int(cell)) if cell.is_integer() else str(cell)
    return "" if cell is None else str(cell)


def _csv_rows(table: Path) -> tuple[Sequence[str], _Rows]:
    """(names of the columns, rows that are not empty with the number of their first line)."""
    try:
        text = read_file(table, _MAX_BYTES).decode("utf-8-sig")
        start = text[:4096].splitlines()[:1]
        delimiter = max(",;\t", key=start[0].count) if start else ","
        # Without newline="", a line break inside a quoted cell would be changed, and line numbers with it.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        columns = [name.strip() for name in next(filter(None, reader), [])]
        rows: list[tuple[int, Mapping[str, Any]]] = []
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                beyond = {_BEYOND: cells[len(columns) :]} if len(cells) > len(columns) else {}
                rows.append((line, dict(zip(columns, cells, strict=False)) | beyond))
            line = reader.line_num + 1
    except UnicodeDecodeError:
        raise DataError(f"{table} is not in UTF-8: save it as CSV UTF-8") from None
    except csv.Error:
        raise DataError(f"{table} is not a CSV table") from None
    return columns, rows


def _parquet_rows(table: Path) -> tuple[Sequence[str], _Rows]:
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
    named = (row | {key: _named(row.get(key), known) for key, known in names.items()} for row in rows)
    return content.column_names, list(enumerate(named, start=2))


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


def _column(table: Path, columns: Sequence[str], names: Sequence[str]) -> str:
    found = [name for name in columns if name.lower() in names]
    if len(found) != 1:
        says = f"it has {', '.join(map(repr, found or columns)) or 'no column'}"
        raise DataError(f"{table} needs one column called {', '.join(names)}: {says}")
    return found[0]
