"""Decoding uses no more memory than the file's header announces, in every format."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.imaging.files import encode, photo, write_tiff
from tests.process import ROOT

pytestmark = pytest.mark.slow

_PROGRAM = """
import json, sys
from pathlib import Path
from imaging import Target, decoded_bytes, read
from imaging.formats import FORMATS
from imaging.signature import kind_of

def status_bytes(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))

for is_reduced in (True, False):
    target = Target(32, 32, "RGB", "cover", light_on_dark=False, is_reduced=is_reduced)
    for path in map(Path, sys.argv[1:]):
        data = path.read_bytes()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
        before = status_bytes("VmRSS")
        read(data, target)
        peak = status_bytes("VmHWM") - before
        header = FORMATS[kind_of(data)].read_header(data)
        print(json.dumps([path.name, is_reduced, peak, decoded_bytes(header, target)]))
"""
_SPARE_BYTES = 4 << 20  # for the allocator and the codecs' tables


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is read from Linux's /proc")
def test_no_picture_holds_more_than_announced(tmp_path: Path) -> None:
    picture = photo(1600, 1100)
    alpha, grey, turned = picture.convert("RGBA"), picture.convert("L"), picture.getexif()
    alpha.putalpha(grey)
    turned[0x0112] = 6
    files = {
        "png": encode(picture, "PNG", exif=turned),
        "png alpha": encode(alpha, "PNG"),
        "png grey": encode(grey, "PNG"),
        "png transparent colour": encode(picture, "PNG", transparency=(1, 2, 3)),
        "jpeg": encode(picture, "JPEG", exif=turned),
        "jpeg grey": encode(grey, "JPEG"),
        "jpeg progressive": encode(picture, "JPEG", progressive=True, subsampling=0),
        "jpeg inks": encode(picture.convert("CMYK"), "JPEG", progressive=True),
        "webp": encode(alpha, "WEBP", method=0),
        "gif": encode(picture.quantize(64), "GIF", transparency=1),
        "bmp": encode(alpha, "BMP"),
        "tiff": encode(picture, "TIFF", exif=turned),
        "tiff lab": encode(picture.convert("LAB"), "TIFF"),
        "tiff alpha": encode(alpha, "TIFF", compression="tiff_lzw"),
        "avif": encode(alpha, "AVIF", speed=10),
        "tiff 8 samples of 16 bits": write_tiff(
            {
                256: [1600],
                257: [1100],
                258: [16] * 8,
                259: [8],
                262: [2],
                277: [8],
                278: [1100],
                317: [2],
                338: [0] * 5,
            },
            [zlib.compress(bytes(1600 * 1100 * 16), 1)],
        ),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    names = sorted(str(path) for path in tmp_path.iterdir())
    run = subprocess.run([sys.executable, "-c", _PROGRAM, *names], cwd=ROOT, check=True, capture_output=True, text=True)
    measured = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(measured) == 2 * len(names)
    over = [row for row in measured if row[2] > row[3] + _SPARE_BYTES]
    assert not over
