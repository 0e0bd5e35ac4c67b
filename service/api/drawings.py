"""Checks whether the pictures of a request can be prepared as drawn digits."""

from service.errors import MalformedRequestError
from service.models.catalog import ServedModel


def check_drawing(model: ServedModel, *, are_files: bool = True) -> None:
    """Checks that drawn digits can be prepared.

    Args:
        model: the model that classifies them.
        are_files: whether the pictures are files; otherwise they are pixels.

    Raises:
        MalformedRequestError: the model is for other pictures, or pixels were sent.
    """
    metadata = model.metadata
    if metadata.polarity != "light-on-dark":
        raise MalformedRequestError(
            f"prepare=digit is for models of light strokes on a dark ground, which {metadata.name} is not; leave it out"
        )
    if not are_files:
        raise MalformedRequestError("prepare=digit needs pictures; these are pixels, which are used as they are")
