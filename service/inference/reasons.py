"""Shortens the errors of ONNX Runtime and of the system to one line."""


def first_line(error: Exception) -> str:
    """The first line of an error's message; the other lines are for the developers of ONNX Runtime."""
    return next(iter(str(error).splitlines()), "") or "no reason is given"
