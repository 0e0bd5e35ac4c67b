"""Base64 as encoders write it is accepted, and other text is refused."""

import base64
import random
import textwrap
from urllib.parse import quote

import pytest

from service.decoding import LongText, read_base64
from service.errors import InvalidImagesError

FILES = [random.Random(length).randbytes(length) for length in (1, 2, 3, 56, 57, 58, 1000, 200_000)]


def cut_out(text: str | bytes) -> LongText:
    """A string in the middle of a longer text."""
    content = text.encode() if isinstance(text, str) else text
    return LongText(b'"AAAA' + content + b'AAAA"', 5, 5 + len(content))


@pytest.mark.parametrize("file", FILES, ids=map(len, FILES))
@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    "write",
    [
        lambda text: text,
        lambda text: "\n".join(textwrap.wrap(text, 76)) + "\n",
        lambda text: "\r\n".join(textwrap.wrap(text, 64)),
        lambda text: f"  {text} ",
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
        lambda text: f"data:image/png;base64,{text}",
        lambda text: f"DATA:image/PNG;charset=utf-8;BASE64,{text}",
        lambda text: f" data:;base64,\n{text}",
        lambda text: f"data:image/png;base64,{quote(text, safe='')}",
        lambda text: "data:;base64," + "".join(f"%{ord(digit):02x}" for digit in text),
    ],
    ids=[
        "plain",
        "lines",
        "CRLF",
        "blanks",
        "no padding",
        "URL-safe",
        "URL-safe, no padding",
        "data",
        "DATA",
        "lines in data",
        "data with escapes",
        "data of escapes alone",
    ],
)
def test_every_form_is_read(file: bytes, write: object, long: bool) -> None:
    text: str = write(base64.b64encode(file).decode())  # type: ignore[operator]
    escaped = text.replace("\r", "\\r").replace("\n", "\\n").replace("=", "\\u003d")
    (upload,) = read_base64([cut_out(escaped) if long else text])
    assert upload.data == file


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://example.org/cat.png", "addresses are not fetched"),
        ("HTTP://example.org/cat.png", "addresses are not fetched"),
        ("file:///etc/passwd", "addresses are not fetched"),
        ("s3://bucket/cat.png", "addresses are not fetched"),
        ("data:image/svg+xml,<svg/>", "a data URL without base64"),
        ("data:image/png;base64", "a data URL without base64"),
        ("cat.png", "not base64"),
        ("/home/me/cat.png", "not base64"),
        ("A", "not base64"),
        ("AAAAA", "not base64"),
        ("AA=A", "not base64"),
        ("AA==AA==", "not base64"),
        ("AAA" * 50_000 + "%", "not base64"),
        ("AAAé", "not base64"),
        ("AAA%3D", "not base64"),
        ("data:;base64,AAA%3", "not base64"),
        ("data:;base64,AAA%C3%A9", "not base64"),
        ("data:;base64,AAA%25", "not base64"),
    ],
)
def test_what_is_no_base64_is_refused_by_name(text: str, reason: str, long: bool) -> None:
    with pytest.raises(InvalidImagesError) as refusal:
        read_base64(["AAAA", cut_out(text) if long else text])
    (fault,) = refusal.value.faults
    assert fault.index == 1
    assert reason in fault.reason
    assert "rror" not in fault.reason


@pytest.mark.parametrize("content", [b"AAAA\nAAAA", b"AA\\x", b"AA\\", b"\xff", b"AA\\ud800"])
def test_a_long_text_that_is_no_string_of_json_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidImagesError, match="not base64"):
        read_base64([cut_out(content)])
