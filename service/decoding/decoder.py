"""Decodes a request's pictures: in the event loop where it is short, by their headers, and in threads otherwise.

::

    headers ─ more work than any encoder asks for ──> InvalidImagesError, TooLargeImagesError
       │
       ├─ short, by the headers ──> :meth:`Decoder.decode_soon`: in the event loop, when the request's batch is formed
       │
       └─ longer ──> wait for memory ──> a thread, which stops when the deadline has passed or the client has left
                                            └─ not limited by its headers ──> a child process with a time limit
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging import (
    Examined,
    FastPng,
    Limits,
    Observation,
    Target,
    TooManyPixelsError,
    UnreadableError,
    decode,
    decoded_bytes,
    examine,
    most_cpu_s,
    slowness,
)
from imaging.fast_png import fast_png  # of this name, mypyc takes the module from the package
from service.decoding.decode_children import DecodeChildren, NoChildError
from service.decoding.decode_memory import DecodeMemory, MemoryBudget
from service.decoding.decode_threads import DecodeThreads
from service.decoding.uploads import Upload, decode_upload, decode_uploads, is_bounded, no_check, refuse_too_large
from service.errors import ClientGoneError, DeadlineExceededError, ImageFault, InvalidImagesError

logger = logging.getLogger(__name__)

_CHILD_BYTES = 64 << 20  # memory that a child process may take in addition to the pixels and the file
_LOOP_BYTES = 1 << 18  # of a request's files; reading the headers of more would block the event loop


class Deferred(NamedTuple):
    """The pictures of a request that must be decoded in a thread.

    Attributes:
        pictures: with their headers read; None where a thread has to read the headers too.
    """

    pictures: Sequence[Examined | ImageFault] | None = None


class Decoder:
    """Checks files against the limits, then decodes them to arrays.

    Args:
        max_pixels: most pixels (width x height) of one picture.
        max_reducible_pixels: the same of a JPEG that is decoded at a reduced size.
        loop_work_s: requests with at most this estimated decoding time are decoded in the event loop, because waking a
            thread would take longer.
        threads: decode the other requests.
        children: decode files whose headers do not limit the time; None, or where none can be started: threads do.
        budget: limits the memory of decoded pictures.
    """

    def __init__(
        self,
        *,
        max_pixels: int,
        max_reducible_pixels: int = Limits().max_reducible_pixels,
        loop_work_s: float,
        threads: DecodeThreads,
        children: DecodeChildren | None,
        budget: MemoryBudget,
    ) -> None:
        self._limits = Limits(max_pixels, max_reducible_pixels)
        self._loop_work_s = loop_work_s / slowness()
        self._threads = threads
        self._children = children
        self._memory = DecodeMemory(budget)

    def decode_soon(
        self, uploads: Sequence[Upload], target: Target, seen: list[Observation]
    ) -> Callable[[], NDArray[np.uint8]] | Deferred:
        """Reads the headers of a request's pictures, and decides where they are decoded.

        Args:
            uploads: one or more pictures.
            target: the input that the model needs.
            seen: observations are added to it when the pictures are decoded.

        Returns:
            A function to decode them in the event loop, as :meth:`decode_now` does; where that would take too long, the
            argument ``deferred`` for :meth:`decode`.

        Raises:
            InvalidImagesError: the only picture cannot be used.
            TooLargeImagesError: some have more pixels than allowed; names every one of them.
        """
        if len(uploads) == 1:
            return self._decode_one_soon(uploads[0], target, seen)
        if sum(len(upload.data) for upload in uploads) > _LOOP_BYTES:
            return Deferred()
        pictures, work_s = [], 0.0
        for index, upload in enumerate(uploads):
            picture = self._examine(index, upload, target)
            if isinstance(picture, Examined):
                work_s += picture.estimate_s(target)
                if work_s > self._loop_work_s or not picture.cost.is_bounded:
                    return Deferred()
            elif picture.is_too_large:
                refuse_too_large(self._examine_all(uploads, target, no_check))
            pictures.append(picture)
        return partial(decode_uploads, uploads, pictures, target, seen)

    def _decode_one_soon(
        self, upload: Upload, target: Target, seen: list[Observation]
    ) -> Callable[[], NDArray[np.uint8]] | Deferred:
        """As :meth:`decode_soon`, for a request of one picture, which is the most frequent."""
        short_way = fast_png(target)
        if short_way.takes(upload.data) and short_way.estimate_s <= self._loop_work_s:
            return partial(self._decode_short, short_way, upload, target, seen)
        if len(upload.data) > _LOOP_BYTES:
            return Deferred()
        picture = self._examine(0, upload, target)
        if isinstance(picture, ImageFault):
            refuse_too_large([picture])
            raise InvalidImagesError([picture])
        if picture.estimate_s(target) > self._loop_work_s or not picture.cost.is_bounded:
            return Deferred((picture,))
        return partial(decode_upload, upload, picture, target, seen)

    def _decode_short(
        self, short_way: FastPng, upload: Upload, target: Target, seen: list[Observation]
    ) -> NDArray[np.uint8]:
        """Decodes a small PNG whose header has been read; falls back to :meth:`decode_now`."""
        try:
            pixels = short_way.decode(upload.data, seen)
        except UnreadableError as error:
            raise InvalidImagesError([ImageFault(0, upload.filename, str(error))]) from None
        return self.decode_now([upload], target, seen) if pixels is None else pixels[np.newaxis]

    async def decode(
        self,
        uploads: Sequence[Upload],
        target: Target,
        seen: list[Observation] | None = None,
        deferred: Deferred | None = None,
        *,
        deadline: float,
        is_abandoned: Callable[[], bool],
    ) -> NDArray[np.uint8]:
        """Decodes all pictures of a request like :meth:`decode_now`, but in a thread.

        Args:
            uploads: one or more pictures.
            target: the input that the model needs.
            seen: observations are added to it.
            deferred: from :meth:`decode_soon` for the same pictures and target; None where it was not called.
            deadline: on the clock of ``time.perf_counter``, in seconds; after it no further picture is begun.
            is_abandoned: tells whether the client has disconnected.

        Raises:
            ClientGoneError: the client has disconnected.
            DeadlineExceededError: the deadline has passed.
            OverloadedError: there is no thread to decode in.
        """

        def check() -> None:
            if is_abandoned():
                raise ClientGoneError
            if time.perf_counter() >= deadline:
                raise DeadlineExceededError("the time limit passed before the pictures were decoded")

        pictures = None if deferred is None else deferred.pictures
        if pictures is None:
            pictures = await self._threads.run(partial(self._examine_all, uploads, target, check))
        refuse_too_large(pictures)
        memory_bytes = max(
            (decoded_bytes(picture.header, target) for picture in pictures if isinstance(picture, Examined)), default=0
        )
        threads, decode_one = self._threads, decode
        if self._children is not None and not all(is_bounded(picture) for picture in pictures):
            threads, decode_one = self._children.threads, partial(self._decode_bounded, self._children, deadline)
        held_bytes = await self._memory.take(memory_bytes)
        return await threads.run(
            partial(decode_uploads, uploads, pictures, target, seen, check=check, decode_one=decode_one),
            partial(self._memory.give_back, held_bytes),
        )

    @staticmethod
    def _decode_bounded(
        children: DecodeChildren, deadline: float, picture: Examined, target: Target, seen: list[Observation] | None
    ) -> NDArray[np.uint8]:
        """Decodes a picture; in a child process, which can be ended, if its headers do not limit the time."""
        if picture.cost.is_bounded:
            return decode(picture, target, seen)
        try:
            return children.decode(
                picture.cost.data,
                target,
                seen,
                cpu_s=most_cpu_s(picture.estimate_s(target, is_apart=True)),
                memory_bytes=decoded_bytes(picture.header, target) + len(picture.cost.data) + _CHILD_BYTES,
                deadline=deadline,
            )
        except NoChildError as error:
            logger.warning("no child process can be started, so a picture is decoded in a thread: %s", error)
            return decode(picture, target, seen)

    def decode_now(
        self, uploads: Sequence[Upload], target: Target, seen: list[Observation] | None = None
    ) -> NDArray[np.uint8]:
        """Decodes all pictures of a request in the calling thread.

        Args:
            uploads: one or more pictures.
            target: the input that the model needs.
            seen: observations are added to it.

        Returns:
            uint8 [N, H, W, C], in the order sent.

        Raises:
            InvalidImagesError: some cannot be read; names every one of them.
            TooLargeImagesError: some have more pixels than allowed; names every one of them.
        """
        pictures = self._examine_all(uploads, target, no_check)
        refuse_too_large(pictures)
        return decode_uploads(uploads, pictures, target, seen)

    def _examine_all(
        self, uploads: Sequence[Upload], target: Target, check: Callable[[], None]
    ) -> list[Examined | ImageFault]:
        pictures = []
        for index, upload in enumerate(uploads):
            check()
            pictures.append(self._examine(index, upload, target))
        return pictures

    def _examine(self, index: int, upload: Upload, target: Target) -> Examined | ImageFault:
        """Reads one picture's headers; returns a fault instead of raising, since all faults are reported together."""
        try:
            picture = examine(upload.data)
            self._limits.check(picture.header, target)
        except UnreadableError as error:
            return ImageFault(index, upload.filename, str(error))
        except TooManyPixelsError as error:
            return ImageFault(index, upload.filename, f"it {error}", is_too_large=True)
        return picture
