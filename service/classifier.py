"""How one request is answered, from its images to its probabilities.

::

    find the model -> admit, or refuse at once -> decode -> run in a batch -> probabilities and stage times
               └─ a version that is not open yet is opened first; all its requests wait for that
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging import Observation
from service.decoding import Decoder, Deferred, Target, Upload
from service.errors import ClientGoneError, DeadlineExceededError
from service.http.body_budget import UNCOUNTED_BYTES, BodyBudget
from service.models.catalog import Engine, ModelCatalog, ServedModel

OpenEngine = Callable[[ServedModel], Awaitable[Engine]]
Images = Sequence[Upload] | NDArray[np.uint8]


class Classification(NamedTuple):
    """The answer to one request, before a protocol gives it its format.

    Attributes:
        model: the model that answered.
        probabilities: float32 [N, K], row i for picture i, columns in label order.
        decode_s: seconds from files to pixels; 0 where pixels were sent.
        queue_s: seconds waited for a batch.
        inference_s: sum of the seconds of the runs that its images were in.
        batch_size: images in the largest of these runs.
        seen: observations about the pictures; not every picture has one, and pixels that were sent have none.
        familiarity: the graph's output of that name, float32 [N]; None where the graph has no such output.
    """

    model: ServedModel
    probabilities: NDArray[np.float32]
    decode_s: float
    queue_s: float
    inference_s: float
    batch_size: int
    seen: Sequence[Observation] = ()
    familiarity: NDArray[np.float32] | None = None

    def part(self, begin: int, end: int) -> "Classification":
        """The answer to some of the pictures."""
        return self._replace(
            probabilities=self.probabilities[begin:end],
            seen=[seen._replace(place=seen.place - begin) for seen in self.seen if begin <= seen.place < end],
            familiarity=None if self.familiarity is None else self.familiarity[begin:end],
        )


class Classifier:
    """Answers the requests of every protocol with the models of a catalog.

    Args:
        catalog: the models that answer now.
        decoder: turns files into pixels.
        budget: limits the bytes that all requests hold; decoded pictures are counted here.
        open_engine: opens a model that is not open yet.
    """

    def __init__(self, catalog: ModelCatalog, decoder: Decoder, budget: BodyBudget, open_engine: OpenEngine) -> None:
        self.catalog = catalog
        self._decoder = decoder
        self._budget = budget
        self._open_engine = open_engine

    async def classify(
        self,
        model: ServedModel,
        images: Images,
        *,
        deadline: float,
        is_abandoned: Callable[[], bool],
        is_alone: bool = False,
        origin: object = None,
        centers_strokes: bool = False,
    ) -> Classification:
        """Classifies the pictures of one request.

        Args:
            model: from the catalog.
            images: files to decode, or pixels uint8 [N, H, W, C] as the model takes them.
            deadline: on the clock of ``time.perf_counter``, in seconds.
            is_abandoned: tells whether the client has disconnected.
            is_alone: whether no other request is in flight.
            origin: identifies the request to the observers of batches.
            centers_strokes: whether the pictures are drawn digits, to be sized and centered as in their data set.

        Returns:
            The answer, with the time of each stage.

        Raises:
            RequestError: a picture cannot be used.
            RefusedError: no answer can be given now.
        """
        engine = model.engine
        if engine is None:
            engine, is_alone = await self.open_engine(model, deadline), False  # other requests may be here by now
        session, batcher = engine
        count, decode_s = len(images), 0.0
        seen: list[Observation] = []
        batcher.admit(count)
        pixel_bytes = 0  # pixels that were sent are not counted again: they are a part of the body
        try:
            pixels: NDArray[np.uint8] | Callable[[], NDArray[np.uint8]] | Deferred
            if isinstance(images, np.ndarray):
                pixels = images
            else:
                if count * model.target.pixel_bytes > UNCOUNTED_BYTES:
                    pixel_bytes = self._hold(count * model.target.pixel_bytes)
                started = time.perf_counter()
                target = model.target.of_strokes if centers_strokes else model.target
                pixels = self._decoder.decode_soon(images, target, seen)
                if isinstance(pixels, Deferred):
                    pixels = await self._decode(
                        images, target, seen, pixels, deadline=deadline, is_abandoned=is_abandoned
                    )
                    is_alone = False  # other requests may be here by now
                decode_s = time.perf_counter() - started
            entry = await batcher.submit(
                pixels, count, deadline=deadline, is_abandoned=is_abandoned, is_alone=is_alone, origin=origin
            )
        except ClientGoneError:
            raise  # the client does not wait for an answer
        except Exception:
            model.metrics.failed()
            raise
        finally:
            batcher.release(count)
            if pixel_bytes:
                self._budget.give_back(pixel_bytes)
        decode_s += entry.prepare_s
        model.metrics.classified(count, decode_s, entry.queue_s)
        probabilities, familiarity = entry.rows, None
        if session.scores_familiarity:
            probabilities, familiarity = session.columns(entry.rows)
        return Classification(
            model, probabilities, decode_s, entry.queue_s, entry.inference_s, entry.batch_size, seen, familiarity
        )

    async def open_engine(self, model: ServedModel, deadline: float) -> Engine:
        """Returns the engine of a model; opens it first where it is not open yet.

        Args:
            model: from the catalog.
            deadline: on the clock of ``time.perf_counter``, in seconds; after it, the engine still goes on opening.

        Raises:
            RefusedError: the engine cannot be opened now.
        """
        if model.engine is not None:
            return model.engine
        try:
            async with asyncio.timeout(deadline - time.perf_counter()):
                return await self._open_engine(model)
        except TimeoutError:
            model.metrics.failed()
            name, version = model.metadata.name, model.metadata.version
            raise DeadlineExceededError(
                f"the time limit passed before version {version} of model {name} was loaded; loading continues"
            ) from None
        except Exception:
            model.metrics.failed()
            raise

    async def decode(
        self,
        model: ServedModel,
        images: Sequence[Upload],
        *,
        deadline: float,
        is_abandoned: Callable[[], bool],
        centers_strokes: bool = False,
    ) -> tuple[NDArray[np.uint8], list[Observation]]:
        """Decodes pictures to the pixels that a model takes, and does not run the model; see :meth:`classify`.

        Returns:
            uint8 [N, H, W, C], and the observations about the pictures.
        """
        seen: list[Observation] = []
        target = model.target.of_strokes if centers_strokes else model.target
        pixel_bytes = self._hold(len(images) * target.pixel_bytes)
        try:
            make = self._decoder.decode_soon(images, target, seen)
            if isinstance(make, Deferred):
                pixels = await self._decode(images, target, seen, make, deadline=deadline, is_abandoned=is_abandoned)
            else:
                pixels = make()
        finally:
            self._budget.give_back(pixel_bytes)
        return pixels, seen

    def _hold(self, pixel_bytes: int) -> int:
        """Counts the pixels that files will be decoded to; returns how many bytes were counted."""
        if pixel_bytes <= UNCOUNTED_BYTES:
            return 0
        self._budget.take(pixel_bytes)
        return pixel_bytes

    async def _decode(
        self,
        uploads: Sequence[Upload],
        target: Target,
        seen: list[Observation],
        deferred: Deferred,
        *,
        deadline: float,
        is_abandoned: Callable[[], bool],
    ) -> NDArray[np.uint8]:
        """Decodes in a thread; pictures whose turn comes after the deadline are not decoded."""
        try:
            async with asyncio.timeout(deadline - time.perf_counter()):
                return await self._decoder.decode(
                    uploads, target, seen, deferred, deadline=deadline, is_abandoned=is_abandoned
                )
        except TimeoutError:
            raise DeadlineExceededError("the time limit passed before the pictures were decoded") from None
