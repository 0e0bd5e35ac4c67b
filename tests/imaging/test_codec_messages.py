"""Codecs print nothing to standard error, for any file."""

import subprocess
import sys

from tests.process import ROOT

_PROGRAM = """
from imaging import PictureError, Target, read
from tests.imaging.files import noisy_pictures

for name, data in noisy_pictures().items():
    try:
        read(data, Target(32, 32, "RGB", "cover", light_on_dark=False))
    except PictureError:
        pass
"""


def test_nothing_reaches_standard_error() -> None:
    # In a separate process, since libtiff writes to the file descriptor.
    run = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("", "")
