"""``POST /explain``: a map of how much each pixel of a picture counted for or against a class."""

from collections.abc import Awaitable, Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.api.answers import JSON
from service.api.endpoint import CLASSIFYING_ERRORS
from service.api.json_writing import write
from service.api.picture_endpoint import Picture, PictureEndpoint
from service.api.png import PNG, write_png
from service.api.work_thread import WorkThread
from service.declarations import declare
from service.decoding import NPY_MEDIA_TYPE, write_array
from service.errors import LabelNotFoundError, NotAcceptableError
from service.explaining.explainer import Choose, Exact, Explanation, explain
from service.explaining.occlusion import PATCHES
from service.explaining.pace import Pace
from service.http.asgi import Headers, Reply
from service.http.body_budget import BodyBudget
from service.limits import RequestLimits
from service.models.catalog import ServedModel

_LEAST_SIDE: Final = 224  # pixels, of a PNG
_FOR: Final = np.array((230, 97, 0), np.float32)
_AGAINST: Final = np.array((30, 110, 200), np.float32)
_STRONGEST: Final = 0.75


@declare(key_scope="predict", errors=(*CLASSIFYING_ERRORS, NotAcceptableError), cost=PATCHES)
class ExplainEndpoint(PictureEndpoint):
    """Explains predictions."""

    media_types = (JSON, PNG, NPY_MEDIA_TYPE.encode())
    own_parameters = ("label",)

    def __init__(self, limits: RequestLimits, budget: BodyBudget, work_thread: WorkThread) -> None:
        super().__init__(limits, budget, work_thread)
        self._pace = Pace()
        # Its own thread, since a large network takes seconds; only one, so that it takes at most one core.
        self._looking = WorkThread("explain", "for its explanation")

    async def _answer(self, picture: Picture) -> Reply:
        choose = _choice(picture.model, picture.own.get("label"))
        is_gone = picture.connection.is_gone

        def inspect(work: Callable[[], Exact | None]) -> Awaitable[Exact | None]:
            return self._looking.run(work, deadline=picture.deadline, is_abandoned=is_gone)

        explained = await explain(
            picture.model,
            await picture.classifier.open_engine(picture.model, picture.deadline),
            picture.pixels,
            choose,
            inspect=inspect,
            pace=self._pace,
            models=picture.classifier.catalog,
            deadline=picture.deadline,
            is_abandoned=is_gone,
        )
        headers: Headers = [
            (b"explanation-method", explained.method.encode()),
            (b"explanation-index", b"%d" % explained.column),
        ]
        if picture.media_type == NPY_MEDIA_TYPE.encode():
            return Reply(200, write_array(explained.map), picture.media_type, headers)
        if picture.media_type == PNG:

            def draw() -> bytes:
                return write_png(overlay(picture.pixels[0], explained.map))

            return Reply(200, await self._do(draw, picture.connection, picture.deadline), PNG, headers)
        body = await self._do(lambda: _json(picture, explained), picture.connection, picture.deadline)
        return Reply(200, body, JSON, headers)


def _choice(model: ServedModel, label: str | None) -> Choose:
    """Which column is explained."""
    names = model.metadata.class_names
    if label is None:
        return lambda probabilities: int(probabilities.argmax())
    if label not in names:
        raise LabelNotFoundError(
            f"model {model.metadata.name!r} has no label {label[:64]!r}; GET /models/{model.metadata.name} lists its "
            "labels"
        )
    column = names.index(label)
    return lambda _probabilities: column


def _json(picture: Picture, explained: Explanation) -> bytes:
    metadata = picture.model.metadata
    return write(
        {
            "model": metadata.name,
            "version": metadata.version,
            "method": explained.method,
            "label": metadata.class_names[explained.column],
            "index": explained.column,
            "probability": explained.probabilities[explained.column],
            "map": explained.map,
        }
    )


def overlay(pixels: NDArray[np.uint8], mapped: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lays a map over the picture that it explains.

    Args:
        pixels: uint8 [H, W, C], as the network gets them.
        mapped: float32 [H, W].

    Returns:
        uint8 [n x H, n x W, 3], the picture in grey under orange for the class and blue against it.
    """
    strength = np.abs(mapped) / max(float(np.abs(mapped).max()), 1e-12)
    alpha = (_STRONGEST * strength)[..., np.newaxis]
    color = np.where(mapped[..., np.newaxis] >= 0, _FOR, _AGAINST)
    grey = pixels.mean(axis=2, keepdims=True)
    mixed: NDArray[np.uint8] = ((1 - alpha) * grey + alpha * color).round().astype(np.uint8)
    times = max(1, -(-_LEAST_SIDE // max(mapped.shape)))
    enlarged: NDArray[np.uint8] = mixed.repeat(times, axis=0).repeat(times, axis=1)
    return enlarged
