"""Reads files that are sent as text: base64 in all the forms that encoders write, and data URLs.

Sources: RFC 4648 (base64 and its URL-safe alphabet), RFC 2045 (lines of 76 characters), RFC 2397 (data URLs).
"""

import binascii
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from service.decoding.bounded_json import LongText
from service.decoding.uploads import Upload
from service.errors import ImageFault, InvalidImagesError

_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BLANKS = b" \t\r\n"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:")
_MOST_HEAD_CHARACTERS = 256  # before the data of a data URL: its media type and encoding


def read_base64(texts: Iterable[str | LongText]) -> list[Upload]:
    """Decodes files like :func:`read_each_base64`, but raises an error if any of them is faulty.

    Args:
        texts: the files.

    Returns:
        The files, in the order sent.

    Raises:
        InvalidImagesError: some texts are not base64; names each of them.
    """
    uploads, faults = read_each_base64(texts)
    if faults:
        raise InvalidImagesError(faults)
    return uploads


def read_each_base64(texts: Iterable[str | LongText]) -> tuple[list[Upload], list[ImageFault]]:
    """Decodes those files that can be decoded.

    Args:
        texts: base64 each, in one line or several, in the ordinary or the URL-safe alphabet, with or without padding;
            or data URLs, as the canvases of browsers make them, also with the escapes of URLs.

    Returns:
        The files, in the order sent, without those that are not base64, and a fault for each of these.
    """
    uploads: list[Upload] = []
    faults: list[ImageFault] = []
    for index, text in enumerate(texts):
        try:
            uploads.append(Upload(_read_file(text)))
        except _NotBase64Error as error:
            faults.append(ImageFault(index, None, str(error)))
        except ValueError:
            faults.append(ImageFault(index, None, "it is not base64, or a part of it is missing"))
    return uploads, faults


class _NotBase64Error(Exception):
    """The reason why a text is not a file in base64, written for the client."""


def _read_file(text: str | LongText) -> bytes:
    steps = text.steps() if isinstance(text, LongText) else iter((text,))
    first = next(steps, "")
    begin = _file_begins(first)
    first = first[begin:]
    if isinstance(text, str):
        try:
            return binascii.a2b_base64(first, strict_mode=True)
        except ValueError:
            pass  # it may be in one of the other forms
    file = io.BytesIO()  # getvalue() copies nothing; a copy would hold Python's global lock
    steps = itertools.chain((first,), steps)
    file.writelines(_decode(_unescape(steps) if begin else steps))
    return file.getvalue()


def _file_begins(text: str) -> int:
    """The index at which the base64 of a text begins: 0, or after the head of a data URL.

    Raises:
        _NotBase64Error: it is another kind of URL.
    """
    address = _ADDRESS.match(text[:_MOST_HEAD_CHARACTERS].lstrip())
    if address is None:
        return 0
    if address[0].lower() != "data:":
        raise _NotBase64Error(
            "it is an address, and addresses are not fetched; send the picture itself, in base64 or as a data URL"
        )
    comma = text.find(",", 0, _MOST_HEAD_CHARACTERS)
    if comma < 0 or not text[:comma].rstrip().lower().endswith(";base64"):
        raise _NotBase64Error("it is a data URL without base64; it must begin as in `data:image/png;base64,`")
    return comma + 1


def _unescape(steps: Iterable[str]) -> Iterator[str]:
    """Replaces the escapes of a URL, such as ``%3D``, of which the end of a step may cut one."""
    left = ""
    for step in steps:
        text = left + step
        cut = text.rfind("%", max(0, len(text) - 2))
        whole, left = (text, "") if cut < 0 else (text[:cut], text[cut:])
        yield unquote(whole) if "%" in whole else whole
    yield left


def _decode(steps: Iterable[str]) -> Iterator[bytes]:
    """Decodes a text step by step, in multiples of four characters, which are three bytes."""
    left, padded = b"", False
    for step in steps:
        plain = step.encode("ascii").translate(_URL_SAFE, _BLANKS)
        digits = plain.rstrip(b"=")
        if (padded and digits) or b"=" in digits:
            raise binascii.Error
        padded = padded or len(digits) < len(plain)
        digits = left + digits
        whole = len(digits) - len(digits) % 4
        left = digits[whole:]
        yield binascii.a2b_base64(digits[:whole], strict_mode=True)
    yield binascii.a2b_base64(left + b"=" * (-len(left) % 4), strict_mode=True)
