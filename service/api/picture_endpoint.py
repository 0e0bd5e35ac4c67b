"""Base class of the endpoints that explain a prediction of one picture: the network's input, layers and reasons.

::

    body ─> one picture ─> decoded as for /predict ─> Picture ─> the endpoint's own answer
"""

import time
from abc import abstractmethod
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imaging import Observation
from service.api.accept import choose_media_type
from service.api.bodies import explain_mangling, parse_body, takes_long
from service.api.context import context_of
from service.api.drawings import check_drawing
from service.api.endpoint import ClassifyingEndpoint
from service.api.parameters import Parameters, merge, read_pairs, split_query
from service.api.picture_schemas import PICTURE_PARAMETERS
from service.api.problems import problem
from service.api.requests import read_body, read_headers, read_timeout_s
from service.classifier import Classifier
from service.errors import InvalidImagesError, MalformedRequestError, UnsupportedMediaTypeError
from service.http.asgi import Reply, Scope
from service.http.connection import Connection
from service.models.catalog import ServedModel

MOST_OWN_CHARACTERS = 1024
"""Longest value of an endpoint's own parameter: a label has up to 256 characters, and its id may follow."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a request, ready for a network.

    Attributes:
        model: the model that the request names.
        pixels: uint8 [1, H, W, C].
        seen: the observation about it, or None.
        media_type: of the answer.
        own: values of the endpoint's own parameters, by name.
        deadline: on the clock of ``time.perf_counter``, in seconds.
        connection: of the request.
        classifier: runs the model.
    """

    model: ServedModel
    pixels: NDArray[np.uint8]
    seen: Observation | None
    media_type: bytes
    own: dict[str, str]
    deadline: float
    connection: Connection
    classifier: Classifier


class PictureEndpoint(ClassifyingEndpoint):
    """Reads one picture, and decodes it as ``/predict`` does.

    Attributes:
        media_types: those that the answer may have, the default first.
        own_parameters: the query parameters that only this endpoint has.
    """

    media_types: tuple[bytes, ...]
    own_parameters: tuple[str, ...] = ()

    def _failure(self, error: Exception) -> Reply:
        return problem(error)

    async def _classify(self, scope: Scope, connection: Connection) -> Reply:
        started = time.perf_counter()
        headers = read_headers(scope)
        timeout_s = read_timeout_s(headers.get(b"x-request-timeout-ms"), self._limits.timeout_s)
        deadline = started + timeout_s
        media_type = choose_media_type(headers.get(b"accept", b""), self.media_types)
        content_type = headers.get(b"content-type", b"")
        query, own = self._read_query(scope["query_string"])
        data = await read_body(connection, headers, self._limits.max_body_bytes, timeout_s)
        read = partial(parse_body, data, content_type, self._limits.max_images, query, PICTURE_PARAMETERS)
        if takes_long(data, content_type):
            body = await self._do(read, connection, deadline)
        else:
            body = read()
        parameters = merge((("query", query), ("body", body.parameters)))
        classifier = context_of(scope).app.classifier
        model = classifier.catalog.find(parameters.model, parameters.version)
        if isinstance(body.uploads, bytes):
            raise UnsupportedMediaTypeError(
                "this route takes a picture, not an array; to send exact pixels, send them as a PNG"
            )
        if len(body.uploads) != 1:
            raise MalformedRequestError(f"this route takes one picture per request, not {len(body.uploads)}")
        is_drawn = parameters.prepare == "digit"
        if is_drawn:
            check_drawing(model)
        try:
            pixels, seen = await classifier.decode(
                model,
                body.uploads,
                deadline=deadline,
                is_abandoned=connection.is_gone,
                centers_strokes=is_drawn,
            )
        except InvalidImagesError as error:
            raise explain_mangling(error, body.uploads, data) from None
        picture = Picture(model, pixels, seen[0] if seen else None, media_type, own, deadline, connection, classifier)
        return await self._answer(picture)

    def _read_query(self, query: bytes) -> tuple[Parameters, dict[str, str]]:
        pairs = split_query(query)
        own = {name: value for name, value in pairs if name in self.own_parameters}
        others = [(name, value) for name, value in pairs if name not in own]
        if len(own) + len(others) < len(pairs):
            raise MalformedRequestError("a parameter is given twice")
        for name, value in own.items():
            if len(value) > MOST_OWN_CHARACTERS:
                raise MalformedRequestError(
                    f"{name} has more than the {MOST_OWN_CHARACTERS} characters that are allowed"
                )
        return read_pairs(others, (*PICTURE_PARAMETERS, *self.own_parameters)), own

    @abstractmethod
    async def _answer(self, picture: Picture) -> Reply:
        """Makes the answer."""
