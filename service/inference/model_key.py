"""Reads the name and version in a model file's metadata, without loading the model.

They are needed for a model file directly in the repository's folder, without folders for name and version, such as
KServe's ``/mnt/models``. Sources: onnx/onnx.proto3 (``metadata_props`` is field 14, its key 1 and its value 2);
https://protobuf.dev/programming-guides/encoding/.
"""

import json
import os
from pathlib import Path
from typing import BinaryIO, Final

from contract import is_model_name, is_version
from network.wire_format import read_varint
from service.regular_file import open_regular

_METADATA: Final = 14
_MOST_ENTRY_BYTES: Final = 4096  # a longer one is neither a name nor a version
_MOST_FIELDS: Final = 10_000
_MOST_VARINT_BYTES: Final = 10


def read_model_key(path: Path) -> tuple[str, str] | None:
    """The name and version in a model file of the contract; None where it has none.

    Args:
        path: of the file; only the beginnings of its fields are read.
    """
    said: dict[str, str] = {}
    try:
        with open_regular(path) as (file, length):
            for _ in range(_MOST_FIELDS):
                if file.tell() >= length or len(said) == 2:
                    break
                _read_field(file, said)
    except (OSError, ValueError, RecursionError):  # RecursionError: JSON that is nested too deeply
        return None
    name, version = said.get("convoy.name"), said.get("convoy.version")
    if name is None or version is None or not is_model_name(name) or not is_version(version):
        return None
    return name, version


def _read_field(file: BinaryIO, said: dict[str, str]) -> None:
    """Reads or skips one field; keeps name and version.

    Raises:
        ValueError: it is not an ONNX file.
    """
    tag = _varint(file)
    match tag & 7:
        case 0:
            _varint(file)
        case 1:
            file.seek(8, os.SEEK_CUR)
        case 5:
            file.seek(4, os.SEEK_CUR)
        case 2:
            length = _varint(file)
            if tag >> 3 == _METADATA and length <= _MOST_ENTRY_BYTES:
                _keep(file.read(length), said)
            else:
                file.seek(length, os.SEEK_CUR)
        case _:
            raise ValueError("a field of no known kind")


def _keep(entry: bytes, said: dict[str, str]) -> None:
    texts: dict[int, str] = {}
    place = 0
    while place < len(entry):
        number, place = read_varint(entry, place, len(entry))
        length, place = read_varint(entry, place, len(entry))
        texts[number >> 3] = entry[place : place + length].decode()
        place += length
    if texts.get(1) in ("convoy.name", "convoy.version"):
        value = json.loads(texts.get(2, ""))
        if isinstance(value, str):
            said[texts[1]] = value


def _varint(file: BinaryIO) -> int:
    value = 0
    for place in range(_MOST_VARINT_BYTES):
        read = file.read(1)
        if not read:
            raise ValueError("it ends within a number")
        value |= (read[0] & 127) << 7 * place
        if read[0] < 128:
            return value
    raise ValueError("a number that is too long")
