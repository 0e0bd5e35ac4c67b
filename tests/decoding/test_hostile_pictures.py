"""Files that need more decoding work than any encoder makes are refused; none takes long, refused or not."""

import time
from importlib import import_module
from types import ModuleType

import pytest

from imaging import Target, UnreadableError, read

TARGET = Target(32, 32, "RGB", "cover", light_on_dark=False)
SIDE = 64
MOST_CPU_S = 0.5  # an honest file takes a thousandth of this

REFUSED = {
    "jpeg": {
        "16 scans of nothing": "more than 6 times",
        "22 scans of nothing": "more than 6 times",
        "1000 scans of nothing": "more than 6 times",
        "100000 scans of nothing": "more than 6 times",
        "16 refining scans": "more than 6 times",
        "22 refining scans": "more than 6 times",
        "1000 refining scans": "more than 6 times",
        "100000 refining scans": "more than 6 times",
        "10 dense refining scans": "more than 6 times",
        "189 bands": "more than 32 scans",
        "grey, 4 refining scans a component": "more than 6 times",
        "a restart a block": "more than 6 times",
        "50 quantization tables": "more tables",
        "10000 quantization tables": "more tables",
        "10000 comments": "segments stand before its first scan",
        "10000 EXIF segments": "segments stand before its first scan",
        "10 MB behind the pixels": "truncated",
        "half of it": "truncated",
        "half of it, progressive": "truncated",
        "10 MB between two segments": "before the first scan",
    },
    "gif": {
        "comment of 1000000 blocks of a byte": "too many extensions",
        "1000000 empty extensions": "too many extensions",
        "1000000 bytes of nothing": "too many extensions",
        "5 MB of comments": "too many extensions",
        "8 MB of cleared tables": "truncated",
    },
    "bmp": {"RLE8: a billion lines of no pixels": "no pixels"}
    | {
        f"{coding}: {name}": reason
        for coding in ("RLE8", "RLE4")
        for name, reason in (
            ("runs of one pixel", "truncated"),
            ("runs of 255 pixels", "truncated"),
            ("runs past the line's end", "truncated"),
            ("absolute runs of none", "truncated"),
            ("ends of empty lines", "broken off"),
            ("jumps to where it is", "broken off"),
            ("jumps by a pixel", "broken off"),
            ("absolute runs of 3", "broken off"),
        )
    },
    "tiff": {
        "7600 strips of everything": "strips or tiles, where it has 1",
        "7600 deflated strips": "strips or tiles, where it has 1",
        "3000000 strips of everything": "strips or tiles, where it has 1",
        "3000000 deflated strips": "strips or tiles, where it has 1",
        "deflated lines, all the same": "overlap",
        "slow lines, all the same": "overlap",
        "cleared tables, LZW": "truncated",
        "nothing, PackBits": "truncated",
        "tiles of 1 x 1": "4096 strips or tiles",
        "4,000 tags": "4009 tags",
    },
    "webp": {
        "16 groups of large codes": "truncated",
        "256 groups of large codes": "truncated",
        "a million chunks": "too many chunks",
    },
    "avif": {},
    "png": {
        "empty blocks, 400% of the pixels": "compressed pixels are more than",
        "10 MB behind the stream": "compressed pixels are more than",
        "pixels in chunks of one byte": "chunks",
        "100,000 empty chunks": "chunks",
        "100,000 unknown chunks": "chunks",
        "colour profile of 1 MB": "compressed data of more than",
    },
}
MAY_BE_REFUSED = {"slow colour profile", "empty blocks, 100% of the pixels"}  # refused by the time limit


def module(kind: str) -> ModuleType:
    return import_module(f"bench.reliability.hostile_pictures.{kind}")


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_of_too_much_work_is_refused_before_it_is_done(kind: str) -> None:
    for file in module(kind).hostile(SIDE, SIDE):
        reason, started = None, time.process_time()
        try:
            read(file.data, TARGET)
        except UnreadableError as error:
            reason = str(error)
        assert time.process_time() - started < MOST_CPU_S, file.name
        if file.name not in MAY_BE_REFUSED:
            wanted = REFUSED[kind].get(file.name)
            assert (reason is None) == (wanted is None), (file.name, reason)
            assert wanted is None or wanted in str(reason), file.name


@pytest.mark.parametrize("kind", REFUSED)
def test_honest_files_of_every_coding_are_read(kind: str) -> None:
    for width, height in ((SIDE, SIDE), (1, 1), (1, 300), (300, 1), (33, 17)):
        for coding, data in module(kind).honest(width, height):
            assert read(data, TARGET).shape == TARGET.shape, coding
