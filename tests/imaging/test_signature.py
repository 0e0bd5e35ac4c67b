"""Files of kinds that cannot be read are named in the error, so that the client knows what to do."""

import pytest

from bench.request_bytes import picture_bytes
from imaging import Target, UnreadableError, read
from tests.imaging.files import photo

SMALL = Target(8, 8, "RGB", "stretch", light_on_dark=False)

_NAMES = {
    "JPEG XL": [b"\xff\x0a" + bytes(20), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20)],
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20), b"\xff\x4f\xff\x51" + bytes(20)],
    "Photoshop": [b"8BPS" + bytes(20)],
    "PDF": [b"%PDF-1.7 ..."],
    "PostScript": [b"%!PS-Adobe-3.0 EPSF-3.0"],
    "SVG": [b'<svg xmlns="http://www.w3.org/2000/svg">', b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg>', b"  \n<SVG>"],
    "HTML": [b"<!DOCTYPE html><html>", b"<html>"],
    "icon": [b"\0\0\1\0" + bytes(20)],
    "film": [b"\0\0\0\x20ftypisom" + bytes(24), b"\0\0\0\x14ftypqt  " + bytes(24), b"\x1aE\xdf\xa3" + bytes(8)],
    "raw file": [b"\0\0\0\x18ftypcrx " + bytes(24), b"FUJIFILMCCD-RAW 0201"],
    "portable pixmap": [b"P6\n2 2\n255\n" + bytes(12)],
    "base64": [b"iVBORw0KGgoAAAANSUhEUg==", b"/9j/4AAQSkZJRgABAQ=="],
    "data URL": [b"data:image/png;base64,iVBORw0KGgo="],
    "addresses are not fetched": [b"https://example.org/cat.png"],
    "NumPy": [b"\x93NUMPY\x01\x00"],
    "gzip": [b"\x1f\x8b\x08\x00"],
    "ZIP": [b"PK\x03\x04"],
    "Git LFS": [b"version https://git-lfs.github.com/spec/v1\n"],
    "DICOM": [bytes(128) + b"DICM"],
}


@pytest.mark.parametrize("name", _NAMES)
def test_what_is_sent_by_mistake_is_named(name: str) -> None:
    for data in _NAMES[name]:
        with pytest.raises(
            UnreadableError, match=rf"it is .*{name}.*in a known format; send PNG, JPEG, .* AVIF or HEIC"
        ):
            read(data, SMALL)


@pytest.mark.parametrize("data", [b"hello", bytes(100), b"\xff\xd8", b"RIFF\0\0\0\0WEBX", b"ftyp", b"\0\0\0\x08ftyp"])
def test_what_is_nothing_known_is_not_guessed(data: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"it is .*not a picture in a known format"):
        read(data, SMALL)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
def test_no_message_shows_an_exception_of_python(kind: str) -> None:
    data = picture_bytes(photo(16, 16), kind)
    for length in range(4, len(data), max(1, len(data) // 60)):
        try:
            read(data[:length], SMALL)
        except UnreadableError as error:
            said = str(error)
            assert not any(word in said for word in ("Error", "unpack", "index", "object", "NoneType", "subscript")), (
                said
            )
