"""Whether the pictures of a request can be prepared as drawn digits."""

from service.api.bodies import Body
from service.errors import MalformedRequestError
from service.models.catalog import ServedModel


def is_drawing(model: ServedModel, body: Body) -> bool:
    """Checks that drawn digits can be prepared.

    Returns:
        True.

    Raises:
        MalformedRequestError: the model is of other pictures, or pixels were sent.
    """
    metadata = model.metadata
    if metadata.polarity != "light-on-dark":
        raise MalformedRequestError(
            f"prepare=digit is for models of light strokes on a dark ground, which {metadata.name} is not; leave it out"
        )
    if isinstance(body.uploads, bytes):
        raise MalformedRequestError("prepare=digit needs pictures; the body is an array of pixels, used as it is")
    return True
