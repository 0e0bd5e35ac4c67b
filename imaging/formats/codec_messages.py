"""Turns off messages that codecs write to standard error.

Pillow warns of unusual metadata, and libtiff writes a line for each row that it cannot decode directly to file
descriptor 2: one file of 400 KB makes 4,000 lines, not in the format of the log. Every error that makes a picture
unusable is raised as an exception too, and gets one answer and one line in the log.

libtiff has one handler for the whole process (`TIFFSetErrorHandler(3)`). It is reached through Pillow's own extension
module, which is linked with it; leptonica and pylibtiff set it in the same way. Where libtiff is built into Pillow, as
on Windows, there is no such symbol, and libtiff's lines are still written.
"""

import ctypes
import logging
import warnings

from PIL import _imaging


def silence_codecs() -> None:
    """Turns off the messages of codecs, for this process. Their exceptions do not change."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)
    library = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        set_handler = getattr(library, name, None)
        if set_handler is not None:
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)
