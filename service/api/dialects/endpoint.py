"""The endpoint of every dialect: reads a request of the dialect, classifies, and writes the dialect's answer."""

import time

import numpy as np
from numpy.typing import NDArray

from service.api.answers import LOOP_NUMBERS, server_timing
from service.api.bodies import LOOP_BYTES, explain_mangling
from service.api.compression import compress
from service.api.context import context_of
from service.api.decisions import check_decisions, is_much
from service.api.dialects.dialect import Dialect, DialectRequest, PixelList, Question, Reader
from service.api.drawings import check_drawing
from service.api.endpoint import CLASSIFYING_ERRORS, ClassifyingEndpoint
from service.api.parameters import refuse_query
from service.api.problems import explain
from service.api.requests import read_body, read_headers, read_timeout_s
from service.api.work_thread import WorkThread
from service.classifier import Images
from service.declarations import declare
from service.decoding import Target, Upload, read_images, read_json_pixels
from service.errors import InvalidImagesError, MalformedRequestError, TooLargeError
from service.http.asgi import Reply, Scope
from service.http.body_budget import BodyBudget
from service.http.connection import Connection
from service.limits import RequestLimits, check_count
from service.models.catalog import ModelCatalog, ServedModel


@declare(key_scope="predict", errors=CLASSIFYING_ERRORS)
class DialectEndpoint(ClassifyingEndpoint):
    """Answers the classifying requests of one route.

    Args:
        dialect: makes the error document.
        read: reads a request.
        limits: of a request.
        budget: limits the bytes that all requests hold.
        work_thread: does work that would block the event loop for too long.
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
        headers = read_headers(scope)
        timeout_s = read_timeout_s(headers.get(b"x-request-timeout-ms"), self._limits.timeout_s)
        deadline = started + timeout_s
        refuse_query(scope["query_string"])
        body = await read_body(connection, headers, self._limits.max_body_bytes, timeout_s)
        request = DialectRequest(scope["path_params"], headers, body, max_images)

        def read() -> Question:
            return self._read(request)

        is_long = len(body) > LOOP_BYTES
        question = await self._do(read, connection, deadline) if is_long else read()
        model = _find(classifier.catalog, question)
        target = model.target

        def take() -> Images:
            return _images(question, target, max_images)

        images = await self._do(take, connection, deadline) if is_long else take()
        if is_long:
            # Looked up again, with no await before the request is admitted, so that a replaced model is never used.
            model = _find(classifier.catalog, question)
            if model.target != target:
                images = _images(question, model.target, max_images)
        centers_strokes = _check(question, model)
        try:
            result = await classifier.classify(
                model,
                images,
                deadline=deadline,
                is_abandoned=connection.is_gone,
                is_alone=connection.is_alone(),
                centers_strokes=centers_strokes,
            )
        except InvalidImagesError as error:
            raise explain_mangling(error, question.pictures, body) from None
        context.result = result

        def write() -> Reply:
            reply = question.write(result)
            reply.headers.append((b"server-timing", server_timing(result)))
            return compress(reply, headers.get(b"accept-encoding"))

        is_long = result.probabilities.size > LOOP_NUMBERS or (
            question.parameters.ask_decisions() and (is_long or is_much(result))
        )
        return await self._do(write, connection, deadline) if is_long else write()


def _find(catalog: ModelCatalog, question: Question) -> ServedModel:
    if question.model is not None and question.label is not None:
        return catalog.find_labelled(question.model, question.label)
    return catalog.find(question.model, question.version)


def _check(question: Question, model: ServedModel) -> bool:
    """Checks, before a model runs, that it supports what a request asks for; returns whether to centre strokes."""
    parameters = question.parameters
    if question.check is not None:
        question.check(model)
    if parameters.ask_decisions():
        check_decisions(model.metadata, parameters)
    is_drawn = parameters.prepare == "digit"
    if is_drawn:
        are_files = not isinstance(question.pictures, bytes) and isinstance(question.pictures[0], Upload)
        check_drawing(model, are_files=are_files)
    return is_drawn


def _images(question: Question, target: Target, max_images: int) -> Images:
    """The pictures of a question, as the classifier takes them."""
    pictures = question.pictures
    if isinstance(pictures, bytes):
        images: Images = read_images(pictures, target)
    elif isinstance(pictures[0], Upload):
        images = [picture for picture in pictures if isinstance(picture, Upload)]
    else:
        lists = [picture for picture in pictures if isinstance(picture, PixelList)]
        images = np.concatenate([_pixels(pixels, target, max_images) for pixels in lists])
    check_count(len(images), max_images)
    return images


def _pixels(pixels: PixelList, target: Target, max_images: int) -> NDArray[np.uint8]:
    """Reads a list of numbers: uint8 [N, H, W, C]."""
    most = (max_images if pixels.is_batch else 1) * target.pixel_bytes
    if sum(step.count(b",") + 1 for step in pixels.numbers.steps()) > most:
        raise TooLargeError(f"a list has more numbers than the {most} allowed for this model")
    wanted = ", ".join(map(str, ("N", *target.shape) if pixels.is_batch else target.shape))
    try:
        array = read_json_pixels(pixels.numbers, most, "the list of numbers")
    except MalformedRequestError as error:
        raise MalformedRequestError(
            f"{error}. This model takes pixels as they are in the picture, [{wanted}], and scales them itself"
        ) from None
    if not array.size:
        raise MalformedRequestError(f"the list is empty; send pictures in base64, or pixels as [{wanted}]")
    shape = array.shape if pixels.is_batch else (1, *array.shape)
    if shape[-2:] == target.shape[:2] and target.shape[2] == 1:
        shape = (*shape, 1)  # grey pictures may leave out the axis of channels
    if shape[1:] != target.shape:
        raise MalformedRequestError(
            f"the list of numbers is nested as {list(array.shape)}; this model takes pixels as [{wanted}]"
        )
    return array.reshape(shape)
