"""Makes any file name printable, also where its bytes are not UTF-8."""

import os


def shown_name(name: str) -> str:
    """Returns a name in which bytes that are not UTF-8 are escaped.

    Args:
        name: as returned by Python's file functions.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def one_line(text: str) -> str:
    """Returns a text in which line breaks and control characters, which file names may contain, are escaped.

    Args:
        text: to be shown in a terminal.
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
