"""Loads TensorFlow without the lines that it writes then, which no setting of its own turns off."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Final

_USUAL: Final = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|I0000 .*(oneDNN custom operations|cuda drivers|TF-TRT|"
    rb"This TensorFlow binary is optimized)|To enable the following instructions"
)
"""That oneDNN is on, which instructions the CPU has and that there is no GPU: no news for who asked for neither."""


def start_tensorflow() -> None:
    """Imports TensorFlow; what it writes that is not usual is written on."""
    if "tensorflow" in sys.modules:
        return
    with _without_usual_lines():
        import tensorflow as tf  # noqa: F401, PLC0415  seconds


@contextlib.contextmanager
def _without_usual_lines() -> Iterator[None]:
    """Native code writes to the descriptor itself, so the descriptor leads to a file meanwhile."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            written.seek(0)
            for line in written:
                if not _USUAL.match(line):
                    os.write(2, line)
