"""Forms as browsers, tools and libraries make them: file names, empty inputs, broken parts."""

import httpx
import pytest

from tests.api.forms import CAT, FORM, detail, is_cat, part, post_form


class TestForms:
    @pytest.mark.parametrize(
        "disposition",
        [
            b'name="file"; filename="M\xe4rz.png"',
            'name="file"; filename="März.png"',
            bytes(range(0x80, 0x100)).join((b'name="file"; filename="', b'"')),
            b'name="file"; filename="a\x00\x01\t\x7f.png"',
            "name=\"file\"; filename*=UTF-8''M%C3%A4rz.png",
            'name="file"; filename="Marz.png"; filename*=iso-8859-1\'de\'M%E4rz.png',
            "name=\"file\"; filename*=UTF-8''%FF%FE",
            "name=\"file\"; filename*=klingon''a",
            'name="file"; filename="C:\\fakepath\\cat.png"',
            'name="file"; filename="a\\"b.png"',
            'name="file"; filename=cat.png',
            'filename="cat.png"; name="file"',
            'name="file"',
            "name=file",
        ],
    )
    def test_any_file_name_will_do(self, client: httpx.Client, cat: bytes, disposition: str | bytes) -> None:
        assert is_cat(post_form(client, part(disposition, cat)))

    @pytest.mark.parametrize(
        ("disposition", "name"),
        [
            (b'name="file"; filename="M\xe4rz.png"', "März.png"),
            ('name="file"; filename="März.png"', "März.png"),
            ('name="file"; filename="a"; filename*=UTF-8\'\'M%C3%A4rz.png', "März.png"),
            ("name=\"file\"; filename*=iso-8859-1'de'M%E4rz.png", "März.png"),
            (f'name="file"; filename="{"x" * 3000}"', "x" * 128),
        ],
    )
    def test_an_error_repeats_the_name(self, client: httpx.Client, disposition: str | bytes, name: str) -> None:
        answer = post_form(client, part(disposition, b"no picture"))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["filename"] == name

    def test_an_input_that_was_left_empty_is_passed_over(self, client: httpx.Client, cat: bytes) -> None:
        empty = part('name="file"; filename=""\r\nContent-Type: application/octet-stream', b"")
        assert is_cat(post_form(client, empty, part(CAT, cat), empty, part(CAT, cat)), 2)
        assert "left empty; choose a picture" in detail(post_form(client, empty))

    def test_an_empty_file_is_not_passed_over(self, client: httpx.Client, cat: bytes) -> None:
        answer = post_form(client, part(CAT, cat), part('name="file"; filename="none.png"', b""))
        assert answer.status_code == 422
        assert [(fault["index"], fault["filename"]) for fault in answer.json()["errors"]] == [(1, "none.png")]

    def test_a_long_file_is_put_together_again(self, client: httpx.Client, cat: bytes) -> None:
        padded = cat + bytes(3_500_000)  # bytes after the end of a PNG are ignored
        assert is_cat(post_form(client, part(CAT, padded), part(CAT, cat)), 2)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"--XbX\r\n",
            b"--XbX\r\nContent-Disposition: form-data; name=file\r\n\r\nabc",
            b"--XbX\r\nContent-Disposition: form-data; name=\xff\r\n\r\nabc\r\n--XbX--\r\n",
            b"--XbX\r\nContent-Type: \xff\xfe\r\n\r\nabc\r\n--XbX--\r\n",
            b"--XbX\r\nContent-Disposition: form-data;\r\n name=file\r\n\r\nabc\r\n--XbX--\r\n",
            b"\xff" * 100,
        ],
    )
    def test_a_broken_form_is_told_in_plain_words(self, client: httpx.Client, body: bytes) -> None:
        said = detail(client.post("/predict", content=body, headers=FORM))
        assert len(said) < 250
        assert "let the HTTP library write" in said or "it has" in said or "no part named" in said

    @pytest.mark.parametrize(
        "content_type",
        ["multipart/form-data; boundary=\xff", 'multipart/form-data; boundary="', "multipart/form-data;;;"],
    )
    def test_a_broken_boundary_is_told_in_plain_words(self, client: httpx.Client, content_type: str) -> None:
        detail(client.post("/predict", content=b"abc", headers=[(b"Content-Type", content_type.encode("latin-1"))]))
