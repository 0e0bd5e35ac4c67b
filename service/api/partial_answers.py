"""``on_error=report``: the good pictures of a request are classified, and each bad one is told of in its place.

::

    classify all ─ some are bad ──> note their faults, classify the others ──> result of the good ones, and the faults
                       └─ all are bad ──> InvalidImagesError, which names each
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

from service.classifier import Classification
from service.decoding import Upload
from service.errors import ImageFault, InvalidImagesError, TooLargeImagesError

NO_FAULTS: tuple[ImageFault, ...] = ()


class PartialResult(NamedTuple):
    """What is known about a request's pictures.

    Attributes:
        result: of the good ones, in the order sent.
        filenames: of the good ones.
        faults: of the bad ones, by their places among all.
        uploads: the good ones.
    """

    result: Classification
    filenames: list[str | None]
    faults: tuple[ImageFault, ...]
    uploads: list[Upload]


async def classify_good(
    classify: Callable[[list[Upload]], Awaitable[Classification]],
    uploads: list[Upload],
    unreadable: tuple[ImageFault, ...],
) -> PartialResult:
    """Classifies the good ones of a request's pictures.

    Headers and pixels are each found bad for all pictures at once, so that this takes two further attempts at most,
    unless a picture is at the limit of the time that its decoding may take.

    Args:
        classify: classifies pictures, all or none.
        uploads: one picture or more.
        unreadable: pictures that are known to be bad and are not among ``uploads``, by their places among all.

    Raises:
        InvalidImagesError: all are bad.
    """
    faults = {fault.index: fault for fault in unreadable}
    count = len(uploads) + len(faults)
    good = dict(zip((place for place in range(count) if place not in faults), uploads, strict=True))
    while good:
        places = list(good)
        try:
            result = await classify(list(good.values()))
        except (InvalidImagesError, TooLargeImagesError) as error:
            for fault in error.faults:
                place = places[fault.index]
                faults[place] = replace(fault, index=place)
                del good[place]
        else:
            filenames = [upload.filename for upload in good.values()]
            bad = tuple(faults[place] for place in sorted(faults))
            return PartialResult(result, filenames, bad, list(good.values()))
    raise InvalidImagesError([faults[place] for place in sorted(faults)])
