"""Reads small JSON files beside a model, only from the model's own folder."""

import json
from pathlib import Path
from typing import Any

from training.errors import ImportRefusedError
from training.files import leads_out

_MOST_BYTES = 16 << 20


def read_json(folder: Path, name: str) -> dict[str, Any] | None:
    """Reads a JSON object.

    Args:
        folder: that must hold the file.
        name: of the file.

    Returns:
        The object; None where there is no such file.

    Raises:
        ImportRefusedError: it is no JSON object, is too large, or is a link that leads out of the folder.
    """
    path = folder / name
    if not path.exists():
        return None
    if leads_out(path, folder):
        raise ImportRefusedError(f"{path} is a link that leads out of its folder; copy the file itself there")
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ImportRefusedError(f"{path} is not a file of at most {_MOST_BYTES >> 20} MiB")
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ImportRefusedError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise ImportRefusedError(f"{path} is not JSON") from None
    if not isinstance(document, dict):
        raise ImportRefusedError(f"{path} is not a JSON object")
    return document


def numbers(document: dict[str, Any], key: str, default: list[float], origin: str) -> list[float]:
    """A list of numbers, or one number as a list.

    Raises:
        ImportRefusedError: it is something else.
    """
    value = document.get(key, default)
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, int | float) and not isinstance(item, bool) for item in values):
        raise ImportRefusedError(f"{origin}: {key} is not numbers")
    return [float(item) for item in values]
