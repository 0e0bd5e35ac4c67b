"""The fast path for plain forms finds the same picture as the form parser, or none."""

import random

import httpx
import pytest

from service.api import forms
from service.api.forms import Form, read_form
from service.api.parameters import NO_PARAMETERS
from service.api.plain_form import read_plain_form
from service.errors import ConvoyError

PICTURE = b"\x89PNG\r\n\x1a\n--\r\n\r\n--X\r\n"


def sent(**file: tuple[str, bytes, str]) -> tuple[bytes, bytes]:
    """A form as httpx sends it, and its Content-Type."""
    request = httpx.Request("POST", "http://host/", files=file)
    return request.read(), request.headers["content-type"].encode()


BODY, TYPE = sent(file=("cat.png", PICTURE, "image/png"))


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> object:
    """Reads a form with the parser only."""
    monkeypatch.setattr(forms, "read_plain_form", lambda _body, _content_type: None)
    return read_form


def by_the_parser(body: bytes, content_type: bytes) -> Form | None:
    try:
        return read_form(body, content_type, 4)
    except ConvoyError:
        return None


def test_common_clients_get_the_short_way() -> None:
    boundary = TYPE.partition(b"=")[2]
    disposition, kind = (
        b'Content-Disposition: form-data; name="file"; filename="a b (1).png"',
        b"Content-Type: image/png",
    )
    for head in ((disposition, kind), (kind, disposition), (disposition,)):
        for end in (b"--", b"--\r\n"):
            lines = (b"--" + boundary, *head, b"", PICTURE, b"--" + boundary + end)
            upload = read_plain_form(b"\r\n".join(lines), TYPE)
            assert upload == (PICTURE, "a b (1).png")
    assert read_plain_form(BODY, TYPE) == (PICTURE, "cat.png")


@pytest.mark.usefixtures("parse")
def test_what_it_reads_the_parser_reads_alike() -> None:
    dice = random.Random(7)
    read = 0
    for _ in range(20_000):
        body, content_type = bytearray(BODY), bytearray(TYPE)
        for _ in range(dice.choice((0, 1, 1, 2))):
            changed = content_type if dice.random() < 0.1 else body
            begin = dice.randrange(len(changed))
            some = dice.choice(
                (b"", b"\r\n", b"-", b'"', b"\\", b"%", b"a", b";", TYPE[-32:], bytes([dice.randrange(256)]))
            )
            changed[begin : begin + dice.choice((0, 1, 2))] = some
        upload = read_plain_form(bytes(body), bytes(content_type))
        if upload is not None:
            read += 1
            found = by_the_parser(bytes(body), bytes(content_type))
            assert found is not None
            assert found.uploads == [upload]
            assert found.parameters == NO_PARAMETERS
    assert read > 5000


@pytest.mark.parametrize(
    "body",
    [
        BODY.replace(b'name="file"', b'name="model"'),
        BODY.replace(b"cat.png", b"C:\\\\cat.png"),
        BODY.replace(b"cat.png", b""),
        BODY + b"x",
        BODY[:-4],
        sent(file=("cat.png", PICTURE, "image/png"), model=("", b"mnist", "text/plain"))[0],
    ],
)
def test_everything_else_is_left_to_the_parser(body: bytes) -> None:
    assert read_plain_form(body, TYPE) is None
