"""Finds the format of a file from its first bytes, and names known formats that are not supported."""

import re

from imaging.errors import UnreadableError
from imaging.formats import avif, heif
from imaging.formats.boxes import brands

SPOKEN = "PNG, JPEG, WebP, BMP, GIF, TIFF, AVIF or HEIC"

_KINDS = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff\xe0": "JPEG",
    b"\xff\xd8\xff\xe1": "JPEG",
    b"GIF8": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
}

# (first bytes, name with its article) of files that are often sent by mistake.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"8BPS", "a Photoshop document (PSD)"),
    (b"gimp xcf", "a GIMP document (XCF)"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (b"\0\0\1\0", "a Windows icon (ICO)"),
    (b"icns", "an Apple icon (ICNS)"),
    (b"DDS ", "a DirectDraw surface (DDS)"),
    (b"qoif", "a QOI picture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"SIMPLE  =", "a FITS file"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file (RAF)"),
    (b"IIRO", "a camera's raw file (ORF)"),
    (b"IIU\0", "a camera's raw file (RW2)"),
    (b"II\xbc", "a JPEG XR picture"),
    (b"FLIF", "a FLIF picture"),
    (b"BPG\xfb", "a BPG picture"),
    (b"\x93NUMPY", "a NumPy array, whose Content-Type is application/x-npy"),
    (b"\x1f\x8b", "a gzip file, whose Content-Encoding is gzip"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1aE\xdf\xa3", "a film (Matroska or WebM)"),
    (b"version https://git-lfs", "a pointer of Git LFS instead of the file itself"),
    (b"data:", "a data URL"),
    (b"http://", "an address, and addresses are not fetched"),
    (b"https://", "an address, and addresses are not fetched"),
)
_PATTERNS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"P[1-7fF][ \t\r\n]"), "a portable pixmap (PNM)"),
    (re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:\?xml|svg)", re.IGNORECASE), "an SVG drawing or XML"),
    (re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html)", re.IGNORECASE), "an HTML page"),
    (re.compile(rb"iVBORw0KGgo|/9j/|R0lGOD|UklGR|SUkqA|TU0AK"), "base64 text, which belongs into JSON"),
    (re.compile(rb"RIFF.{4}AVI ", re.DOTALL), "a film (AVI)"),
    (re.compile(rb"RIFF.{4}WAVE", re.DOTALL), "a sound (WAV)"),
    (re.compile(rb".{128}DICM", re.DOTALL), "a DICOM file"),
)
_BOXES: tuple[tuple[bytes, str], ...] = (
    (b"qt", "a film (QuickTime)"),
    (b"crx", "a camera's raw file (CR3)"),
    *((brand, "a film (MP4)") for brand in (b"iso", b"mp4", b"M4", b"3g", b"avc1", b"dash")),
)
_SNIFFED = 1024


def kind_of(data: bytes) -> str:
    """The format of a file, as :attr:`imaging.Header.kind` names it.

    Raises:
        UnreadableError: the format is not supported; the message names it where it is known.
    """
    return _KINDS.get(data[:4]) or _by_other_signs(data)


def _by_other_signs(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM"):
        return "BMP"
    if data[4:8] == b"ftyp":
        found = frozenset(brands(data))
        if found & avif.BRANDS:
            return "AVIF"
        if found & heif.BRANDS:
            return "HEIF"
    if not data:
        raise UnreadableError(f"it is empty; send the bytes of a {SPOKEN} file")
    name = _name_of(data[:_SNIFFED])
    said = f"it is {name}, not a picture" if name else "it is not a picture"
    raise UnreadableError(f"{said} in a known format; send {SPOKEN}")


def _name_of(start: bytes) -> str | None:
    if start[4:8] == b"ftyp":
        named = (name for brand in brands(start) for known, name in _BOXES if brand.startswith(known))
        return next(named, "a film or another file in the ISO base media format")
    by_signature = (name for signature, name in _OTHERS if start.startswith(signature))
    by_pattern = (name for pattern, name in _PATTERNS if pattern.match(start))
    return next(by_signature, None) or next(by_pattern, None)
