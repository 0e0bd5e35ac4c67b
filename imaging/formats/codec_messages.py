"""What codecs write to standard error on their own: nothing.

Pillow warns of odd metadata, and libtiff writes a line for each row that it cannot decode, straight to file descriptor
2: one file of 400 KB makes 4,000 lines, in no format that a log has. What decides whether a picture can be used is
raised as an exception in any case, and becomes the one answer, and the one line, that the picture gets.

libtiff has one handler for the whole process (`TIFFSetErrorHandler(3)`). It is reached through Pillow's own extension
module, which is linked with it; leptonica and pylibtiff set it in the same way. Where Pillow was built with libtiff
inside of it, as on Windows, there is no such symbol, and its lines stay.
"""

import ctypes
import logging
import warnings

from PIL import _imaging


def silence_codecs() -> None:
    """Turns off the codecs' own messages, for this process. What they raise is not touched."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)
    library = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        set_handler = getattr(library, name, None)
        if set_handler is not None:
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)
