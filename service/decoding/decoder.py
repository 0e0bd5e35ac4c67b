"""Decodes a request's pictures, in the event loop where that takes microseconds and in threads where it does not."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging import Header, Limits, Target, TooManyPixelsError, UnreadableError, read
from service.errors import ClientGoneError, ImageFault, InvalidImagesError, TooLargeError


class Upload(NamedTuple):
    """One picture as it arrived.

    Attributes:
        data: the whole file.
        filename: as the client named it, or None.
    """

    data: bytes
    filename: str | None = None


class SlowPictureError(Exception):
    """A picture that is small as a file has more pixels than may be decoded here; a thread can."""


class Decoder:
    """Turns files into arrays, limits first.

    Args:
        max_pixels: most pixels (width x height) of one picture.
        max_reducible_pixels: the same of a JPEG that is decoded at a reduced size.
        loop_bytes: requests of at most this many bytes are decoded in the event loop: a thread would take longer to
            wake than the picture to decode.
        loop_pixels: most pixels (width x height), of all pictures of a request, decoded in the event loop: a file of
            1 kB can hold 25 million.
        executor: decodes the rest.
    """

    def __init__(
        self,
        *,
        max_pixels: int,
        max_reducible_pixels: int = Limits().max_reducible_pixels,
        loop_bytes: int,
        loop_pixels: int,
        executor: Executor,
    ) -> None:
        self._limits = Limits(max_pixels, max_reducible_pixels)
        self._loop_bytes = loop_bytes
        self._loop_pixels = loop_pixels
        self._executor = executor

    def takes_moments(self, uploads: Sequence[Upload]) -> bool:
        """Whether a request's pictures are so small that the event loop may decode them itself."""
        if len(uploads) == 1:
            return len(uploads[0].data) <= self._loop_bytes
        return sum(len(upload.data) for upload in uploads) <= self._loop_bytes

    async def decode(
        self, uploads: Sequence[Upload], target: Target, is_abandoned: Callable[[], bool]
    ) -> NDArray[np.uint8]:
        """Decodes all pictures of a request in a thread. As :meth:`decode_now` otherwise.

        Args:
            uploads: one or more pictures.
            target: what the model wants.
            is_abandoned: tells whether the client has gone, when the request's turn has come.

        Raises:
            ClientGoneError: it has.
        """

        def decode() -> NDArray[np.uint8]:
            if is_abandoned():
                raise ClientGoneError
            return self.decode_now(uploads, target)

        return await asyncio.get_running_loop().run_in_executor(self._executor, decode)

    def decode_in_loop(self, uploads: Sequence[Upload], target: Target) -> NDArray[np.uint8]:
        """Decodes pictures that :meth:`takes_moments`, in the event loop. As :meth:`decode_now` otherwise.

        Raises:
            SlowPictureError: their headers say that it would take longer.
        """
        return self.decode_now(uploads, target, self._loop_pixels)

    def decode_now(
        self, uploads: Sequence[Upload], target: Target, most_pixels: int | None = None
    ) -> NDArray[np.uint8]:
        """Decodes all pictures of a request in the calling thread.

        Args:
            uploads: one or more pictures.
            target: what the model wants.
            most_pixels: to decode here, all pictures together; None is no limit but that of each picture.

        Returns:
            uint8 [N, H, W, C], in the order sent.

        Raises:
            InvalidImagesError: some cannot be read; names every one of them.
            TooLargeError: one has more pixels than allowed.
            SlowPictureError: there are more than ``most_pixels``.
        """
        share = None if most_pixels is None else most_pixels // len(uploads)
        if len(uploads) == 1:
            try:
                return self._decode_one(uploads[0], target, share)[np.newaxis]
            except UnreadableError as error:
                raise InvalidImagesError([ImageFault(0, uploads[0].filename, str(error))]) from None
        images = np.empty((len(uploads), *target.shape), np.uint8)
        faults = []
        for index, upload in enumerate(uploads):
            try:
                images[index] = self._decode_one(upload, target, share)
            except UnreadableError as error:
                faults.append(ImageFault(index, upload.filename, str(error)))
        if faults:
            raise InvalidImagesError(faults)
        return images

    def _decode_one(self, upload: Upload, target: Target, most_pixels: int | None) -> NDArray[np.uint8]:
        def admit(header: Header, target: Target) -> None:
            self._limits.check(header, target)
            if most_pixels is not None and header.pixels > most_pixels:
                raise SlowPictureError

        try:
            return read(upload.data, target, admit)
        except TooManyPixelsError as error:
            name = f" ({upload.filename})" if upload.filename else ""
            raise TooLargeError(f"a picture{name} {error}") from None
