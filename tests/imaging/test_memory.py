"""Decoding uses no more memory than the file's header announces, in every format."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from tests.imaging.files import photo, write_tiff
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

TARGETS = {
    "reduced": Target(32, 32, "RGB", "cover", light_on_dark=False),
    "stretched": Target(224, 224, "RGB", "stretch", light_on_dark=False, is_reduced=False),
    "sampled": Target(224, 224, "RGB", "stretch", light_on_dark=False, is_reduced=False, antialias=False),
    "padded": Target(
        224, 224, "RGB", "contain", light_on_dark=False, is_reduced=False, antialias=False,
        crop_rounding="source-pixels",
    ),
    "digit": Target(28, 28, "L", "contain", light_on_dark=True).of_strokes,
}
for name in sys.argv[1].split(","):
    target = TARGETS[name]
    for path in map(Path, sys.argv[2:]):
        data = path.read_bytes()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
        before = status_bytes("VmRSS")
        read(data, target)
        peak = status_bytes("VmHWM") - before
        header = FORMATS[kind_of(data)].read_header(data)
        print(json.dumps([path.name, name, peak, decoded_bytes(header, target)]))
"""
_SPARE_BYTES = 4 << 20  # for the allocator and the codecs' tables


needs_peak = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak is read from Linux's /proc"
)


@needs_peak
def test_no_picture_holds_more_than_announced(tmp_path: Path) -> None:
    picture = photo(1600, 1100)
    alpha, grey, turned = picture.convert("RGBA"), picture.convert("L"), picture.getexif()
    alpha.putalpha(grey)
    turned[0x0112] = 6
    files = {
        "png": picture_bytes(picture, "PNG", exif=turned),
        "png alpha": picture_bytes(alpha, "PNG"),
        "png grey": picture_bytes(grey, "PNG"),
        "png transparent colour": picture_bytes(picture, "PNG", transparency=(1, 2, 3)),
        "jpeg": picture_bytes(picture, "JPEG", exif=turned),
        "jpeg grey": picture_bytes(grey, "JPEG"),
        "jpeg progressive": picture_bytes(picture, "JPEG", progressive=True, subsampling=0),
        "jpeg inks": picture_bytes(picture.convert("CMYK"), "JPEG", progressive=True),
        "webp": picture_bytes(alpha, "WEBP", method=0),
        "gif": picture_bytes(picture.quantize(64), "GIF", transparency=1),
        "bmp": picture_bytes(alpha, "BMP"),
        "tiff": picture_bytes(picture, "TIFF", exif=turned),
        "tiff lab": picture_bytes(picture.convert("LAB"), "TIFF"),
        "tiff alpha": picture_bytes(alpha, "TIFF", compression="tiff_lzw"),
        "avif": picture_bytes(alpha, "AVIF", speed=10),
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
    _check(files, ["reduced", "sampled", "digit"], tmp_path)


@needs_peak
@pytest.mark.parametrize("size", [(1, 150_000), (150_000, 1), (40, 20_000), (20_000, 40)], ids=str)
def test_no_narrow_picture_holds_more_than_announced(size: tuple[int, int], tmp_path: Path) -> None:
    picture = Image.new("RGB", size)
    turned = picture.getexif()
    turned[0x0112] = 6
    files = {
        "png": picture_bytes(picture, "PNG", exif=turned, compress_level=1),
        "png transparent colour": picture_bytes(picture, "PNG", transparency=(1, 2, 3), exif=turned, compress_level=1),
        "png alpha": picture_bytes(picture.convert("RGBA"), "PNG", compress_level=1),
        "png grey and alpha": picture_bytes(picture.convert("LA"), "PNG", compress_level=1),
        "png grey": picture_bytes(picture.convert("L"), "PNG", compress_level=1),
        "bmp": picture_bytes(picture.convert("L"), "BMP"),
        "tiff alpha": picture_bytes(picture.convert("RGBA"), "TIFF", compression="tiff_lzw"),
    }
    if max(size) < 65_536:
        files |= {
            "jpeg progressive": picture_bytes(picture, "JPEG", progressive=True, exif=turned),
            "gif": picture_bytes(picture.convert("P"), "GIF", transparency=0),
            "avif": picture_bytes(picture, "AVIF", speed=10),
        }
    _check(files, ["reduced", "stretched", "sampled", "padded", "digit"], tmp_path)


def _check(files: dict[str, bytes], targets: list[str], folder: Path) -> None:
    """Decodes files in another process, and compares the peaks of its memory with the estimates."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    names = sorted(str(path) for path in folder.iterdir())
    command = [sys.executable, "-c", _PROGRAM, ",".join(targets), *names]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    measured = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(measured) == len(targets) * len(names)
    over = [row for row in measured if row[2] > row[3] + _SPARE_BYTES]
    assert not over
