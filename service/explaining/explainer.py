"""Explains one prediction: which pixels are evidence for a class.

::

    second output `features` of 16 places or more, then one dense layer ─> HiResCAM, exact: one forward pass
                                                                           (two with a mirrored view)
    anything else ─> occlusion: 64 pictures through the model's own batcher, in slices

:mod:`service.explaining.pace` decides when slices run, so that predictions go first.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract import FEATURES_NAME, OUTPUT_NAME
from network.graph import GraphError
from service.batching import QueueEntry
from service.errors import DeadlineExceededError, UnavailableError
from service.explaining.hirescam import is_fine, linear_head, upscale
from service.explaining.occlusion import PATCHES, Occlusion
from service.explaining.pace import Pace, explained_images
from service.inference import ModelSession
from service.inference.inspection import Inspection
from service.models.catalog import Engine, ServedModel
from service.telemetry.metrics import PROBE

Method = Literal["hirescam", "occlusion"]
Choose = Callable[[NDArray[np.float32]], int]
Exact = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Probabilities, float32 [1, K], and the contribution of each place of the map to each logit, float32 [K, H, W]."""
Inspect = Callable[[Callable[[], Exact | None]], Awaitable[Exact | None]]
"""Runs work that looks into a network, in its turn and within the request's time limit."""

_SLICE_S: Final = 2e-3


class Explanation(NamedTuple):
    """The explanation of one class of one picture.

    Attributes:
        method: ``hirescam`` or ``occlusion``.
        column: of the class.
        probabilities: of the picture, float32 [K].
        map: float32 [H, W], the evidence of each pixel for the class; negative is against it. In logits for HiResCAM,
            in log-odds for occlusion.
    """

    method: Method
    column: int
    probabilities: NDArray[np.float32]
    map: NDArray[np.float32]


async def explain(
    model: ServedModel,
    engine: Engine,
    image: NDArray[np.uint8],
    choose: Choose,
    *,
    inspect: Inspect,
    pace: Pace,
    models: Iterable[ServedModel],
    deadline: float,
    is_abandoned: Callable[[], bool],
) -> Explanation:
    """Explains one class of one picture.

    Args:
        model: the model to explain.
        engine: of the model.
        image: uint8 [1, H, W, C].
        choose: the column to explain, given the probabilities, float32 [K].
        inspect: runs the work of HiResCAM outside the event loop.
        pace: of the service.
        models: all served models.
        deadline: on the clock of ``time.perf_counter``, in seconds.
        is_abandoned: tells whether the client has disconnected.

    Raises:
        RefusedError: no answer can be given now.
    """
    if is_fine(model.metadata.features) and (exact := await inspect(partial(_exact, model.inspection, image))):
        probabilities, places = exact
        column = choose(probabilities[0])
        return Explanation("hirescam", column, probabilities[0], upscale(places[column], *image.shape[1:3]))

    async def ask(images: NDArray[np.uint8]) -> QueueEntry:
        return await batcher.submit(images, len(images), deadline=deadline, is_abandoned=is_abandoned, origin=PROBE)

    session, batcher = engine
    counted = explained_images(batcher)
    batcher.admit(counted)
    model.metrics.probes += 1
    try:
        async with asyncio.timeout(deadline - time.perf_counter()), pace.turn:
            return await _occlusion(model, session, image, choose, ask=ask, rest=partial(pace.rest, models=models))
    except TimeoutError:
        raise DeadlineExceededError(
            "the time limit passed before all 64 parts of the picture were tried; use a longer one, or try again later"
        ) from None
    finally:
        model.metrics.probes -= 1
        batcher.release(counted)


def _exact(inspection: Inspection, image: NDArray[np.uint8]) -> Exact | None:
    """What HiResCAM needs; None where the network is not of the kind for which it is exact."""
    names = OUTPUT_NAME, FEATURES_NAME
    try:
        head = linear_head(inspection.graph())
        if head is None:
            return None
        probabilities, features = inspection.run(image, names)
        mirrored = None
        if head.is_mirrored:
            mirrored = inspection.run(np.ascontiguousarray(image[:, :, ::-1]), names)[1][0]
    except (GraphError, UnavailableError):
        return None
    places = head.contributions(features[0], mirrored)
    return (probabilities, places) if head.explains(places, probabilities[0]) else None


async def _occlusion(
    model: ServedModel,
    session: ModelSession,
    image: NDArray[np.uint8],
    choose: Choose,
    *,
    ask: Callable[[NDArray[np.uint8]], Awaitable[QueueEntry]],
    rest: Callable[[float], Awaitable[None]],
) -> Explanation:
    hidden = Occlusion(image[0], on_black=model.target.light_on_dark)
    began = time.perf_counter()
    entry = await ask(image)
    probabilities = entry.rows[0, : len(model.metadata.labels)]
    column = choose(probabilities)
    size, start, after = 1, 0, np.empty(PATCHES, np.float32)
    while start < PATCHES:
        await rest(time.perf_counter() - began - entry.queue_s)
        began, stop = time.perf_counter(), min(start + size, PATCHES)
        entry = await ask(hidden.images(start, stop))
        after[start:stop] = entry.rows[:, column]
        start = stop
        per_image_s = entry.inference_s / max(1, entry.batch_size)
        size = max(1, min(session.max_batch_size, int(_SLICE_S / max(per_image_s, 1e-6))))
    return Explanation("occlusion", column, probabilities, hidden.to_map(float(probabilities[column]), after))
