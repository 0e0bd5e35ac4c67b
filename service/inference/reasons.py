"""Why ONNX Runtime, or the system below it, failed, in one line."""


def first_line(error: Exception) -> str:
    """The first line of an error's message: what follows is for the developers of ONNX Runtime."""
    return next(iter(str(error).splitlines()), "") or "no reason is given"
