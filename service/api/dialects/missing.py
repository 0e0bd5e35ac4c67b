"""Names the dialect of a request that has no route because this dialect is off.

It has the paths as text, since the dialects themselves are imported only where one is on.
"""

import re
from collections.abc import Collection
from typing import Final

_REQUESTS: Final = (
    ("huggingface", "Hugging Face's API", re.compile(r"POST /(models/[^/]+(/versions/[^/]+)?)?")),
    ("tfserving", "TF Serving's API", re.compile(r"\w+ /v1/models(/.*)?", re.DOTALL)),
    ("torchserve", "TorchServe's API", re.compile(r"\w+ /predictions/.*", re.DOTALL)),
    ("sagemaker", "SageMaker's API", re.compile(r"\w+ /(ping|invocations)")),
    ("vertex", "Vertex AI's API", re.compile(r"\w+ /vertex/(health|predict)")),
)


def name_missing(method: str, path: str, names: Collection[str]) -> str | None:
    """The hint for a request that has no route; None where no dialect would answer it.

    Args:
        method: of the request.
        path: of the request.
        names: of the dialects that are on.
    """
    request = f"{method} {path}"
    for name, whose, pattern in _REQUESTS:
        if pattern.fullmatch(request):
            return None if name in names else f"this is {whose}; --dialects {name} turns it on"
    return None
