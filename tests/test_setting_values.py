"""Origins of web pages: only those that a browser can send are settings."""

import pytest

from service.setting_values import check_origin
from service.settings_reader import read_settings


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        ("null", "null"),
        ("https://example.org", "https://example.org"),
        ("https://example.org/", "https://example.org"),
        ("HTTPS://Example.org", "https://example.org"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:443", "http://example.org:443"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_as_browsers_send_it(text: str, origin: str) -> None:
    assert check_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "app.example.org",
        "localhost:3000",
        "https://*.example.org",
        "https://example.org/path",
        "https://example.org//",
        "https://example.org?a",
        "https://user@example.org",
        "https://example.org:",
        "http://localhost:99999",
        "https://",
        "https://bücher.example",
        "https://a.org https://b.org",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"an origin must be like https://example\.org"):
        check_origin(text)


def test_the_setting_has_checked_origins() -> None:
    assert read_settings(["--cors-origins", "https://A.org/,*"]).cors_origins == ("https://a.org", "*")
