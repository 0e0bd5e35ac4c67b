"""Files inside text: base64, plain or as data URLs."""

import base64
import binascii
from collections.abc import Iterable

from service.decoding.decoder import Upload
from service.errors import ImageFault, InvalidImagesError


def read_base64(texts: Iterable[str]) -> list[Upload]:
    """Takes files out of text.

    Args:
        texts: base64 each; a data URL, as browsers' canvases make them, is base64 after its comma.

    Returns:
        The files, in the order sent.

    Raises:
        InvalidImagesError: some are not base64; names every one of them.
    """
    uploads, faults = [], []
    for index, text in enumerate(texts):
        encoded = text.partition(",")[2] if text.startswith("data:") else text
        try:
            uploads.append(Upload(base64.b64decode(encoded, validate=True)))
        except (binascii.Error, ValueError) as error:
            faults.append(ImageFault(index, None, f"it is not base64 ({error})"))
    if faults:
        raise InvalidImagesError(faults)
    return uploads
