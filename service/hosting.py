"""Reads the settings that a container host gives in its own variables: SageMaker, Vertex AI, hosts that set ``PORT``.

::

    flag > CONVOY_* > variable of the host > default

SageMaker is recognised because it starts a container with the word ``serve``, Vertex AI because it sets
``AIP_PREDICT_ROUTE``. Only the standard library is imported, because the container's health check uses this too.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html,
https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements,
https://cloud.google.com/run/docs/container-contract#port.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

SAGEMAKER_WORD: Final = "serve"
_SAGEMAKER_PORT: Final = 8080
_SAGEMAKER_MODELS: Final = Path("/opt/ml/model")
_LOG_LEVELS: Final = {"10": "debug", "20": "info", "30": "warning", "40": "error", "50": "error"}
_MOST_PORT: Final = 65_535


class HostingError(Exception):
    """A variable of the host has a value that cannot be used. The message names both, and what is allowed."""


def host_settings(
    words: Sequence[str],
    environment: Mapping[str, str],
    port_variable: str | None,
    sagemaker_models: Path = _SAGEMAKER_MODELS,
) -> dict[str, Any]:
    """Returns the settings that the host gives. A flag or a ``CONVOY_*`` variable of the same setting has priority.

    Args:
        words: of the command line, after the command's name.
        environment: all variables.
        port_variable: the setting of that name.
        sagemaker_models: the folder in which SageMaker puts the model.

    Returns:
        Values by the names of settings; the caller adds these ``dialects`` to those that are set.

    Raises:
        HostingError: the value of a variable cannot be used.
    """
    found: dict[str, Any] = {}
    if port_variable and environment.get(port_variable):
        found["port"] = _port(port_variable, environment)
    if words[:1] == [SAGEMAKER_WORD]:
        found |= _sagemaker(environment, sagemaker_models)
    if environment.get("AIP_PREDICT_ROUTE"):
        found |= _vertex_ai(environment)
    return found


def _sagemaker(environment: Mapping[str, str], models: Path) -> dict[str, Any]:
    if environment.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true":
        raise HostingError(
            "SAGEMAKER_MULTI_MODEL=true: multi-model endpoints are not supported; put all models into one "
            "model.tar.gz, and name one in the custom attributes of a request: model=NAME"
        )
    found: dict[str, Any] = {"dialects": ("sagemaker",), "port": _SAGEMAKER_PORT}
    if models.is_dir() and any(models.iterdir()):
        found["models_dir"] = models
    if environment.get("SAGEMAKER_BIND_TO_PORT"):
        found["port"] = _port("SAGEMAKER_BIND_TO_PORT", environment)
    if environment.get("SAGEMAKER_MODEL_SERVER_WORKERS"):
        found["workers"] = _whole("SAGEMAKER_MODEL_SERVER_WORKERS", environment, 256)
    if environment.get("SAGEMAKER_MODEL_SERVER_TIMEOUT"):
        found["request_timeout_s"] = float(_whole("SAGEMAKER_MODEL_SERVER_TIMEOUT", environment, 3600))
    if level := environment.get("SAGEMAKER_CONTAINER_LOG_LEVEL"):
        if level not in _LOG_LEVELS:
            raise HostingError(
                f"SAGEMAKER_CONTAINER_LOG_LEVEL={level[:16]}: it must be one of {', '.join(_LOG_LEVELS)}"
            )
        found["log_level"] = _LOG_LEVELS[level]
    return found


def _vertex_ai(environment: Mapping[str, str]) -> dict[str, Any]:
    if address := environment.get("AIP_STORAGE_URI"):
        raise HostingError(
            f"AIP_STORAGE_URI={address[:100]}: models are not fetched from a bucket; build them into the image "
            "(COPY models /models), and upload the model without an artifact URI"
        )
    found: dict[str, Any] = {"dialects": ("vertex",), "vertex_predict_route": _route("AIP_PREDICT_ROUTE", environment)}
    if environment.get("AIP_HEALTH_ROUTE"):
        found["vertex_health_route"] = _route("AIP_HEALTH_ROUTE", environment)
    if environment.get("AIP_HTTP_PORT"):
        found["port"] = _port("AIP_HTTP_PORT", environment)
    return found


def check_route(route: str) -> str:
    """The path of a route, without a slash at its end.

    Raises:
        ValueError: it is not a valid path.
    """
    if not route.startswith("/") or any(sign in route for sign in "{}?#% \t\r\n"):
        raise ValueError("it must be a path that begins with a slash, without blanks and without { } ? # and %")
    return route.rstrip("/") or "/"


def _route(name: str, environment: Mapping[str, str]) -> str:
    try:
        return check_route(environment[name])
    except ValueError as error:
        raise HostingError(f"{name}={environment[name][:100]}: {error}") from None


def _port(name: str, environment: Mapping[str, str]) -> int:
    return _whole(name, environment, _MOST_PORT)


def _whole(name: str, environment: Mapping[str, str], most: int) -> int:
    value = environment[name]
    number = int(value) if value.isascii() and value.isdecimal() and len(value) <= 6 else 0
    if not 1 <= number <= most:
        raise HostingError(f"{name}={value[:32]}: it must be a whole number from 1 to {most}")
    return number
