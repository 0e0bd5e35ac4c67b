"""``POST /layers``: the output of each layer of a network for a picture."""

import asyncio
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from network.graph import GraphError
from network.layers import Layer, Look, look_inside
from service.api.answers import JSON
from service.api.endpoint import CLASSIFYING_ERRORS
from service.api.json_writing import write
from service.api.picture_endpoint import Picture, PictureEndpoint
from service.api.png import data_url, write_png
from service.declarations import declare
from service.errors import DeadlineExceededError, NotAcceptableError
from service.explaining import mosaic
from service.http.asgi import Reply
from service.models.catalog import ServedModel

_COST = 8  # takes about as long as 8 predictions, since it draws the maps of several layers


@declare(key_scope="predict", errors=(*CLASSIFYING_ERRORS, NotAcceptableError), cost=_COST)
class LayersEndpoint(PictureEndpoint):
    """Shows the layers of a network."""

    media_types = (JSON,)

    async def _answer(self, picture: Picture) -> Reply:
        try:
            async with asyncio.timeout(picture.deadline - time.perf_counter()), picture.model.inspecting:
                body = await asyncio.to_thread(_write, picture.model, picture.pixels)
        except TimeoutError:
            raise DeadlineExceededError("the time limit passed before the layers were shown") from None
        return Reply(200, body, JSON, [])


def _write(model: ServedModel, image: NDArray[np.uint8]) -> bytes:
    try:
        look = look_inside(model.inspection, image)
    except GraphError as error:
        look = Look([], None, [f"The layers of this network cannot be shown: {error}."])
    kernels = None
    if look.kernels is not None:
        count, channels, height, width = look.kernels.shape
        kernels = {
            "count": count,
            "shown": min(count, mosaic.MOST_TILES),
            "shape": [channels, height, width],
            "image": data_url(write_png(mosaic.of_kernels(look.kernels))),
        }
    metadata = model.metadata
    return write(
        {
            "model": metadata.name,
            "version": metadata.version,
            "layers": [_describe(layer) for layer in look.layers],
            "kernels": kernels,
            "notes": look.notes,
        }
    )


def _describe(layer: Layer) -> dict[str, Any]:
    maps = None
    if layer.activation.ndim == 3 and min(layer.activation.shape[1:]) > 1:
        maps = {
            "shown": min(layer.activation.shape[0], mosaic.MOST_TILES),
            "image": data_url(write_png(mosaic.of_maps(layer.activation))),
        }
    return {
        "kind": layer.kind,
        "then": layer.then,
        "input": layer.input,
        "output": layer.output,
        "formula": layer.formula,
        "parameters": layer.parameters,
        "maps": maps,
    }
