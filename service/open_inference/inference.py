"""Answers one inference request of the protocol."""

from collections.abc import Callable
from typing import NamedTuple

from contract import OUTPUT_NAME
from service.classifier import Classification, Classifier, Images
from service.decision import rank
from service.decoding import Target
from service.errors import MalformedRequestError
from service.models.catalog import ServedModel
from service.open_inference.tensors import ENCODED, IMAGE, InputTensor, OutputTensor, read_images

LONGEST_ID = 256
"""Most characters of a request's id, which its answer repeats."""


class RequestedOutput(NamedTuple):
    """An output that a request asks for.

    Attributes:
        name: of the output.
        classes: number of labels for each row; 0: the probabilities instead.
        binary: whether as raw bytes, where the transport has the choice.
    """

    name: str = OUTPUT_NAME
    classes: int = 0
    binary: bool = False


class InferRequest(NamedTuple):
    """A request, the same over REST and gRPC.

    Attributes:
        inputs: the sent tensors.
        outputs: the requested outputs.
        id: repeated in the answer, or None.
        timeout_s: requested time limit, or None.
    """

    inputs: list[InputTensor]
    outputs: list[RequestedOutput]
    id: str | None = None
    timeout_s: float | None = None


async def infer(
    classifier: Classifier,
    model: ServedModel,
    request: InferRequest,
    *,
    max_images: int,
    deadline: float,
    is_abandoned: Callable[[], bool],
) -> tuple[Classification, list[OutputTensor]]:
    """Answers a request: :func:`prepare`, the classifier, :func:`make_outputs`.

    Args:
        classifier: shared by all protocols.
        model: the model that answers.
        request: the request.
        max_images: most pictures in one request.
        deadline: on the clock of ``time.perf_counter``, in seconds.
        is_abandoned: tells whether the client has disconnected.

    Returns:
        The answer with its stage times, and one tensor for each requested output.

    Raises:
        RequestError: the inputs or outputs cannot be used.
        RefusedError: no answer can be given now.
    """
    images = prepare(request, model.target, max_images)
    result = await classifier.classify(model, images, deadline=deadline, is_abandoned=is_abandoned)
    return result, make_outputs(request, result)


def prepare(request: InferRequest, target: Target, max_images: int) -> Images:
    """Takes the pictures out of a request, after all its other parts have been checked.

    Args:
        request: the request.
        target: the input that the model needs.
        max_images: most pictures in one request.

    Returns:
        Files to decode, or pixels uint8 [N, H, W, C].

    Raises:
        RequestError: the inputs or outputs cannot be used.
    """
    if len(request.inputs) != 1:
        sent = ", ".join(tensor.name[:64] for tensor in request.inputs[:4]) or "none"
        raise MalformedRequestError(f"send one input, {IMAGE} or {ENCODED}; sent: {sent}")
    for output in request.outputs:
        if output.name != OUTPUT_NAME:
            raise MalformedRequestError(f"there is no output {output.name[:64]!r}; the model has {OUTPUT_NAME}")
    if request.id is not None and len(request.id) > LONGEST_ID:
        raise MalformedRequestError(f"`id` has {len(request.id)} characters; at most {LONGEST_ID} are allowed")
    if len(request.outputs) != 1:
        raise MalformedRequestError(f"ask for {OUTPUT_NAME} once")
    return read_images(request.inputs[0], target, max_images)


def make_outputs(request: InferRequest, result: Classification) -> list[OutputTensor]:
    """One tensor for each output that a request asks for."""
    return [_output(result, wanted) for wanted in request.outputs]


def _output(result: Classification, wanted: RequestedOutput) -> OutputTensor:
    rows = result.probabilities
    if not wanted.classes:
        return OutputTensor(OUTPUT_NAME, "FP32", rows.shape, rows)
    labels = result.model.metadata.class_names
    best = rank(rows, wanted.classes)
    # The classification extension's form: value, index, label.
    texts = [
        f"{row[place]:f}:{place}:{labels[place]}" for row, places in zip(rows, best, strict=True) for place in places
    ]
    return OutputTensor(OUTPUT_NAME, "BYTES", best.shape, texts)
