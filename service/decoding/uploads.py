"""The pictures of a request as they arrived, and the loop that decodes them one after the other.

All faults of a request's pictures are reported together, so a fault is kept until the other pictures were checked.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging import Examined, Observation, Target, UnreadableError, decode
from service.errors import ImageFault, InvalidImagesError, TooLargeImagesError


class Upload(NamedTuple):
    """One picture as it arrived.

    Attributes:
        data: the whole file.
        filename: as the client named it, or None.
    """

    data: bytes
    filename: str | None = None


def no_check() -> None:
    """A check that never ends the loop early."""


def refuse_too_large(pictures: Sequence[Examined | ImageFault]) -> None:
    """Raises an error for pictures with too many pixels, before any of the request's pictures is decoded."""
    faults = [picture for picture in pictures if isinstance(picture, ImageFault)]
    if any(fault.is_too_large for fault in faults):
        raise TooLargeImagesError(faults)


def is_bounded(picture: Examined | ImageFault) -> bool:
    """Whether a picture's headers limit its decoding time."""
    return isinstance(picture, ImageFault) or picture.cost.is_bounded


def decode_upload(upload: Upload, picture: Examined, target: Target, seen: list[Observation]) -> NDArray[np.uint8]:
    """Decodes one picture: uint8 [1, H, W, C].

    Raises:
        InvalidImagesError: it cannot be read.
    """
    try:
        return decode(picture, target, seen)[np.newaxis]
    except UnreadableError as error:
        raise InvalidImagesError([ImageFault(0, upload.filename, str(error))]) from None


def decode_uploads(
    uploads: Sequence[Upload],
    pictures: Sequence[Examined | ImageFault],
    target: Target,
    seen: list[Observation] | None,
    *,
    check: Callable[[], None] = no_check,
    decode_one: Callable[[Examined, Target, list[Observation] | None], NDArray[np.uint8]] = decode,
) -> NDArray[np.uint8]:
    """Decodes pictures one after the other; ``check`` is called before each and may raise to end it."""
    images = np.empty((len(uploads), *target.shape), np.uint8)
    faults = []
    for index, (upload, picture) in enumerate(zip(uploads, pictures, strict=True)):
        check()
        if isinstance(picture, ImageFault):
            faults.append(picture)
            continue
        try:
            found: list[Observation] | None = None if seen is None else []
            images[index] = decode_one(picture, target, found)
            if seen is not None and found:
                seen.append(found[0]._replace(place=index))
        except UnreadableError as error:
            faults.append(ImageFault(index, upload.filename, str(error)))
    if faults:
        raise InvalidImagesError(faults)
    return images
