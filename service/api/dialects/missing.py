"""The requests of each dialect, and the hint for a request that has no route because its dialect is off.

The requests stand here, since the dialects themselves are imported only where one is on.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

REQUESTS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "huggingface": re.compile(
            r"POST /(models/[^/]+(/versions/[^/]+)?)?|\w+ (/models/[^/]+(/versions/[^/]+)?)?/health"
        ),
        "sagemaker": re.compile(r"\w+ /(ping|invocations|execution-parameters)"),
        "tfserving": re.compile(r"\w+ /v1/models(/.*)?", re.DOTALL),
        "torchserve": re.compile(r"\w+ (/ping|/(predictions|explanations)(/.*)?)", re.DOTALL),
        "vertex": re.compile(r"(?!POST )\w+ /vertex/health|\w+ /vertex/predict"),
    }
)
"""``Dialect.own`` of each dialect. Vertex AI's paths are settings: here they are the defaults."""

_WHOSE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "huggingface": "Hugging Face's",
        "sagemaker": "SageMaker's",
        "tfserving": "TF Serving's",
        "torchserve": "TorchServe's",
        "vertex": "Vertex AI's",
    }
)
# What the service's own API has instead, for clients that were not written for another server.
_OWN_PATHS: Final[Mapping[str, str]] = MappingProxyType({"/": "/predict", "/health": "/health/live and /health/ready"})


def name_missing(method: str, path: str, names: Sequence[str]) -> str | None:
    """The hint for a request that has no route; None where no dialect would answer it.

    Args:
        method: of the request.
        path: of the request.
        names: of the dialects that are on.
    """
    request = f"{method} {path}"
    found = [name for name, pattern in REQUESTS.items() if pattern.fullmatch(request)]
    if not found or not set(found).isdisjoint(names):
        return None
    whose = " or ".join(_WHOSE[name] for name in found)
    settings = " or ".join(f"--dialects {','.join([*names, name])}" for name in found)
    hint = f"this is {whose} API; {settings} turns it on"
    return f"{hint}; Convoy's own API has {_OWN_PATHS[path]}" if path in _OWN_PATHS else hint
