"""Explains one prediction: which pixels spoke for a class.

::

    second output `features` of 16 places or more, then one dense layer ─> HiResCAM, exact: one forward pass
                                                                           (two with a mirrored view)
    anything else ─> occlusion: 64 pictures through the model's own batcher, in slices

Slices wait while other requests are in flight, so that those keep at least nine tenths of the model's time.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract import FEATURES_NAME, OUTPUT_NAME
from network.graph import GraphError
from service.batching import QueueEntry
from service.errors import DeadlineExceededError, UnavailableError
from service.explaining import occlusion
from service.explaining.hirescam import LinearHead, is_fine, linear_head, upscale
from service.inference.inspection import Inspection
from service.models.catalog import ServedModel
from service.telemetry.metrics import PROBE

Method = Literal["hirescam", "occlusion"]
Choose = Callable[[NDArray[np.float32]], int]

_SLICE_S: Final = 2e-3
_AROUND_S: Final = 2e-3  # what is done around a slice: patches made, a share of the answer written
_REST: Final = 12  # times what a slice took, while others are served


class Explanation(NamedTuple):
    """Why a class was given its probability.

    Attributes:
        method: how that was found out.
        column: of the class.
        probabilities: of the picture, float32 [K].
        map: float32 [H, W]: what spoke for the class, pixel by pixel; negative is against it. Of HiResCAM in
            logits, of occlusion in log-odds.
    """

    method: Method
    column: int
    probabilities: NDArray[np.float32]
    map: NDArray[np.float32]


async def explain(
    model: ServedModel,
    image: NDArray[np.uint8],
    choose: Choose,
    *,
    deadline: float,
    is_abandoned: Callable[[], bool],
) -> Explanation:
    """Explains one class of one picture.

    Args:
        model: that shall be explained.
        image: uint8 [1, H, W, C].
        choose: the column to explain, given the probabilities, float32 [K].
        deadline: on the clock of ``time.perf_counter``, in seconds.
        is_abandoned: tells whether the client has gone.

    Raises:
        RefusedError: no answer can be given now.
    """
    if is_fine(model.metadata.features) and (exact := await _hirescam(model, image, choose)) is not None:
        return exact
    try:
        async with asyncio.timeout(deadline - time.perf_counter()):
            return await _occlusion(model, image, choose, deadline, is_abandoned)
    except TimeoutError:
        raise DeadlineExceededError(
            "the time limit passed before all 64 parts of the picture were tried; give more, or ask when less is served"
        ) from None


async def _hirescam(model: ServedModel, image: NDArray[np.uint8], choose: Choose) -> Explanation | None:
    """None where the network is not of the kind for which this is exact."""
    inspection = model.inspection
    try:
        head = linear_head(await asyncio.to_thread(inspection.graph))
        if head is None:
            return None
        probabilities, places = await asyncio.to_thread(_contributions, inspection, head, image)
    except (GraphError, UnavailableError):
        return None
    if not head.explains(places, probabilities[0]):
        return None
    column = choose(probabilities[0])
    return Explanation("hirescam", column, probabilities[0], upscale(places[column], *image.shape[1:3]))


def _contributions(
    inspection: Inspection, head: LinearHead, image: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities [1, K], and what each place adds to each logit, [K, H, W]."""
    names = OUTPUT_NAME, FEATURES_NAME
    probabilities, features = inspection.run(image, names)
    mirrored = None
    if head.is_mirrored:
        mirrored = inspection.run(np.ascontiguousarray(image[:, :, ::-1]), names)[1][0]
    return probabilities, head.contributions(features[0], mirrored)


async def _occlusion(
    model: ServedModel,
    image: NDArray[np.uint8],
    choose: Choose,
    deadline: float,
    is_abandoned: Callable[[], bool],
) -> Explanation:
    batcher = model.batcher
    counted = min(occlusion.PATCHES, batcher.capacity)
    batcher.admit(counted)
    model.metrics.probes += 1
    try:
        async with model.explaining:  # one after the other: others wait for no more than one slice

            async def ask(images: NDArray[np.uint8]) -> QueueEntry:
                return await batcher.submit(
                    images, len(images), deadline=deadline, is_abandoned=is_abandoned, origin=PROBE
                )

            entry = await ask(image)
            probabilities = entry.rows[0, : len(model.metadata.labels)]
            column, slice_s = choose(probabilities), entry.inference_s
            recent = model.metrics.recent
            size, start, after = 1, 0, np.empty(occlusion.PATCHES, np.float32)
            while start < occlusion.PATCHES:
                await asyncio.sleep(slice_s)
                others = batcher.outstanding > counted * model.metrics.probes or model.metrics.recent != recent
                if others:
                    await asyncio.sleep(_REST * (slice_s + _AROUND_S))
                recent = model.metrics.recent
                stop = min(start + size, occlusion.PATCHES)
                on_black = model.target.light_on_dark
                entry = await ask(occlusion.occluded(image[0], start, stop, on_black=on_black))
                after[start:stop] = entry.rows[:, column]
                start = stop
                per_image_s = entry.inference_s / max(1, entry.batch_size)
                size = max(1, min(model.session.max_batch_size, int(_SLICE_S / max(per_image_s, 1e-6))))
                slice_s = per_image_s * size
    finally:
        model.metrics.probes -= 1
        batcher.release(counted)
    fallen = occlusion.falls(float(probabilities[column]), after)
    return Explanation("occlusion", column, probabilities, occlusion.to_map(fallen, *image.shape[1:3]))
