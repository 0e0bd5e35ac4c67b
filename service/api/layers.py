"""``POST /layers``: the output of each layer of a network for a picture."""

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
from service.api.work_thread import WorkThread
from service.declarations import declare
from service.errors import NotAcceptableError
from service.explaining import mosaic
from service.http.asgi import Reply
from service.http.body_budget import BodyBudget
from service.limits import RequestLimits
from service.models.catalog import ServedModel

_COST = 8  # takes about as long as 8 predictions, since it draws the maps of several layers


@declare(key_scope="predict", errors=(*CLASSIFYING_ERRORS, NotAcceptableError), cost=_COST)
class LayersEndpoint(PictureEndpoint):
    """Shows the layers of a network."""

    media_types = (JSON,)

    def __init__(self, limits: RequestLimits, budget: BodyBudget, work_thread: WorkThread) -> None:
        super().__init__(limits, budget, work_thread)
        # Its own thread, since a large network takes seconds; only one, so that it takes at most one core.
        self._looking = WorkThread("layers", "for its layers")

    async def _answer(self, picture: Picture) -> Reply:
        def look() -> bytes:
            return _write(picture.model, picture.pixels)

        is_gone = picture.connection.is_gone
        body = await self._looking.run(look, deadline=picture.deadline, is_abandoned=is_gone)
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
