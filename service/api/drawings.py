"""Whether the pictures of a request can be prepared as drawn digits."""

from collections.abc import Sequence

from service.errors import MalformedRequestError
from service.models.catalog import ServedModel


def is_drawing(model: ServedModel, pictures: Sequence[object] | bytes) -> bool:
    """Checks that drawn digits can be prepared.

    Args:
        model: that they are for.
        pictures: files, or a whole .npy file.

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
    if isinstance(pictures, bytes):
        raise MalformedRequestError("prepare=digit needs pictures; the body is an array of pixels, used as it is")
    return True
