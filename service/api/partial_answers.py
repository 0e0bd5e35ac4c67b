"""``on_error=report``: the good pictures of a request are classified, and each bad one gets an error instead.

::

    classify all ─ some are bad ──> note their faults, classify the others ──> result of the good ones, and the faults
                       └─ all are bad ──> InvalidImagesError, which names each picture
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

from service.classifier import Classification
from service.decoding import Upload
from service.errors import ImageFault, InvalidImagesError, TooLargeImagesError

NO_FAULTS: tuple[ImageFault, ...] = ()


class PartialResult(NamedTuple):
    """The outcome for a request's pictures.

    Attributes:
        result: the classification of the good ones, in the order sent.
        filenames: of the good ones.
        faults: of the bad ones, by index among all pictures.
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
    """Classifies the good pictures of a request.

    All bad headers are reported together, and then all bad pixels. So this takes at most two further attempts, unless
    the decoding time of a picture is near its limit.

    Args:
        classify: classifies pictures, all or none.
        uploads: one picture or more.
        unreadable: pictures that are known to be bad and are not in ``uploads``, by index among all pictures.

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
