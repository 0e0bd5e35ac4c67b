"""Imports TensorFlow without its usual start-up lines, which no setting of TensorFlow turns off."""

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
"""These lines say that oneDNN is on, which instructions the CPU has, and that there is no GPU."""


def start_tensorflow() -> None:
    """Imports TensorFlow and hides its usual lines; all other lines still reach stderr."""
    if "tensorflow" in sys.modules:
        return
    with _without_usual_lines():
        import tensorflow as tf  # noqa: F401, PLC0415  seconds


@contextlib.contextmanager
def _without_usual_lines() -> Iterator[None]:
    """Redirects descriptor 2 to a file, since native code writes to it directly, and then copies the unusual lines."""
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
