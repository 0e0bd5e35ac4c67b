"""``POST /preprocess``: the exact pixels that the network gets, and the part of the picture that they show."""

from typing import Any

from service.api.answers import JSON
from service.api.endpoint import CLASSIFYING_ERRORS
from service.api.json_writing import write
from service.api.picture_endpoint import Picture, PictureEndpoint
from service.api.png import PNG, data_url, write_png
from service.decision.warnings import warn
from service.declarations import declare
from service.decoding import NPY_MEDIA_TYPE, write_array
from service.errors import NotAcceptableError
from service.http.asgi import Reply


@declare(key_scope="predict", errors=(*CLASSIFYING_ERRORS, NotAcceptableError))
class PreprocessEndpoint(PictureEndpoint):
    """Shows the input of a network."""

    media_types = (JSON, PNG, NPY_MEDIA_TYPE.encode())

    async def _answer(self, picture: Picture) -> Reply:
        if picture.media_type == NPY_MEDIA_TYPE.encode():
            return Reply(200, write_array(picture.pixels), picture.media_type, [])
        png = await self._do(lambda: write_png(picture.pixels[0]), picture.connection, picture.deadline)
        if picture.media_type == PNG:
            return Reply(200, png, PNG, [])
        return Reply(200, write(describe(picture, png)), JSON, [])


def describe(picture: Picture, png: bytes) -> dict[str, Any]:
    """Describes, for JSON, how a picture became the network's input.

    Args:
        picture: of the request.
        png: the pixels that the network gets.
    """
    metadata, seen = picture.model.metadata, picture.seen
    height, width, channels = metadata.input_shape
    source = (width, height) if seen is None else (seen.width, seen.height)
    box = (0.0, 0.0, float(width), float(height)) if seen is None else seen.box
    return {
        "model": metadata.name,
        "version": metadata.version,
        "input": {"width": width, "height": height, "channels": channels},
        "source": {"width": source[0], "height": source[1]},
        "box": dict(zip(("left", "top", "right", "bottom"), box, strict=True)),
        "warnings": [] if seen is None else [warning._asdict() for warning in warn(seen)],
        "image": data_url(png),
    }
