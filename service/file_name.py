"""A file's name as text that can be written, whatever its bytes are."""

import os


def shown_name(name: str) -> str:
    """Bytes that are not UTF-8 are shown with escapes.

    Args:
        name: as Python's functions for files give it.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")
