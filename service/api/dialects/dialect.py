"""The parts of a dialect: readers of its requests, its routes, and its error document."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fastapi import APIRouter
from pydantic import BaseModel

from service.api.operation import Operation
from service.api.parameters import NO_PARAMETERS, Parameters
from service.api.problems import Explanation
from service.classifier import Classification
from service.decoding import NumberList, Upload
from service.http.asgi import Reply
from service.models.catalog import ServedModel


class DialectRequest(NamedTuple):
    """A request with its whole body.

    Attributes:
        steps: the variable segments of its path, by name.
        headers: names in lower case.
        body: the whole body.
        max_images: most pictures allowed.
    """

    steps: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes
    max_images: int

    def header(self, name: bytes) -> str:
        """A header's value; empty where there is none."""
        return self.headers.get(name, b"").decode("latin-1")


class PixelList(NamedTuple):
    """Pixels as a list of numbers.

    Attributes:
        numbers: the text of the list, not parsed yet.
        is_batch: several pictures, [N, H, W, C]; otherwise one, [H, W, C].
    """

    numbers: NumberList
    is_batch: bool


class Question(NamedTuple):
    """What a request asks.

    Attributes:
        pictures: files, lists of numbers, or a whole .npy file.
        write: makes the answer.
        model: name, or None for the default model.
        version: or None for its default version.
        label: the label of a version, instead of the version.
        parameters: how the pictures are prepared, and which decisions the answer has.
        check: raises an error of the request where the model does not support it; called before the model runs.
    """

    pictures: list[Upload] | list[PixelList] | bytes
    write: Callable[[Classification], Reply]
    model: str | None = None
    version: str | None = None
    label: str | None = None
    parameters: Parameters = NO_PARAMETERS
    check: Callable[[ServedModel], object] | None = None


Reader = Callable[[DialectRequest], Question]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect.

    Attributes:
        name: its name in the setting ``dialects``.
        tag: its group in the OpenAPI document.
        own: matches the method and path of all requests of this dialect, such as ``POST /models/cifar10``.
        tell: makes its error document.
        error: the schema of that document.
        operations: its classifying routes, with the reader of each.
        router: its other routes.
    """

    name: str
    tag: str
    own: re.Pattern[str]
    tell: Callable[[Explanation], Reply]
    error: type[BaseModel]
    operations: tuple[tuple[Operation, Reader], ...]
    router: APIRouter
