"""The endpoint of every dialect: the way of a request to the classifier and back, with the dialect's own words."""

import time

import numpy as np
from numpy.typing import NDArray

from service.api.answers import LOOP_NUMBERS, server_timing
from service.api.bodies import LOOP_BYTES
from service.api.compression import compress
from service.api.context import context_of
from service.api.dialects.dialect import Dialect, DialectRequest, Question, Reader
from service.api.endpoint import CLASSIFYING_ERRORS, ClassifyingEndpoint
from service.api.problems import explain
from service.api.requests import read_body, read_timeout_s
from service.api.work_thread import WorkThread
from service.classifier import Images
from service.declarations import declare
from service.decoding import NumberList, Target, Upload, read_images, read_json_pixels
from service.errors import MalformedRequestError, TooLargeError
from service.http.asgi import Reply, Scope
from service.http.body_budget import BodyBudget
from service.http.connection import Connection
from service.limits import RequestLimits


@declare(key_scope="predict", errors=CLASSIFYING_ERRORS)
class DialectEndpoint(ClassifyingEndpoint):
    """Answers the classifying requests of one route.

    Args:
        dialect: tells of errors.
        read: reads a request.
        limits: of a request.
        budget: of the bytes that all bodies hold.
        work_thread: for what would stop the event loop for too long.
    """

    def __init__(
        self, dialect: Dialect, read: Reader, limits: RequestLimits, budget: BodyBudget, work_thread: WorkThread
    ) -> None:
        super().__init__(limits, budget, work_thread)
        self._dialect = dialect
        self._read = read

    def _failure(self, error: Exception) -> Reply:
        return self._dialect.tell(explain(error))

    async def _classify(self, scope: Scope, connection: Connection) -> Reply:
        started = time.perf_counter()
        context = context_of(scope)
        classifier, max_images = context.app.classifier, self._limits.max_images
        headers = dict(scope["headers"])
        timeout_s = read_timeout_s(headers.get(b"x-request-timeout-ms"), self._limits.timeout_s)
        deadline = started + timeout_s
        body = await read_body(connection, headers, self._limits.max_body_bytes, timeout_s)
        request = DialectRequest(scope["path_params"], headers, body, max_images)

        def read() -> Question:
            return self._read(request)

        is_long = len(body) > LOOP_BYTES
        question = await self._do(read, connection, deadline) if is_long else read()
        model = classifier.catalog.find(question.model, question.version)
        target = model.target

        def take() -> Images:
            return _images(question, target, max_images)

        images = await self._do(take, connection, deadline) if is_long else take()
        if is_long:
            # Looked up again, with no await before it is admitted, so that a model that was replaced is never used.
            model = classifier.catalog.find(question.model, question.version)
            if model.target != target:
                images = _images(question, model.target, max_images)
        result = await classifier.classify(
            model,
            images,
            deadline=deadline,
            is_abandoned=connection.is_gone,
            is_alone=connection.is_alone(),
        )
        context.result = result

        def write() -> Reply:
            reply = question.write(result)
            reply.headers.append((b"server-timing", server_timing(result)))
            return compress(reply, headers.get(b"accept-encoding"))

        is_long = result.probabilities.size > LOOP_NUMBERS
        return await self._do(write, connection, deadline) if is_long else write()


def _images(question: Question, target: Target, max_images: int) -> Images:
    """The pictures of a question, as the classifier takes them."""
    pictures = question.pictures
    if isinstance(pictures, bytes):
        images: Images = read_images(pictures, target)
    elif isinstance(pictures[0], Upload):
        images = [picture for picture in pictures if isinstance(picture, Upload)]
    else:
        lists = [picture for picture in pictures if isinstance(picture, NumberList)]
        images = np.concatenate([_pixels(numbers, target, max_images) for numbers in lists])
    if len(images) > max_images:
        raise TooLargeError(f"{len(images)} images in one request; at most {max_images} are allowed")
    return images


def _pixels(numbers: NumberList, target: Target, max_images: int) -> NDArray[np.uint8]:
    """One picture or several, as a list of numbers: uint8 [N, H, W, C]."""
    height, width, channels = target.shape
    most = max_images * height * width * channels
    if sum(step.count(b",") + 1 for step in numbers.steps()) > most:
        raise TooLargeError(f"more numbers than {max_images} images of this model have are in one list")
    wanted = f"{height}, {width}, {channels}"
    try:
        array = read_json_pixels(numbers, most, "the list of numbers")
    except MalformedRequestError as error:
        raise MalformedRequestError(
            f"{error}. This model takes pixels as they are in the picture, [N, {wanted}], and scales them itself"
        ) from None
    shape = array.shape
    if channels == 1 and shape[-2:] == (height, width):
        shape = (*shape, 1)  # grey pictures may leave out the axis of channels
    if shape[-3:] != target.shape or len(shape) not in (3, 4):
        raise MalformedRequestError(
            f"the list of numbers is nested as {list(array.shape)}; this model takes [N, {wanted}]"
        )
    return array.reshape((-1, *target.shape))
