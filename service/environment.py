"""Tells which ``CONVOY_*`` variables of the environment are settings, and warns of the others.

Kubernetes describes the Services of a namespace to each pod by variables. Those of a Service named ``convoy`` look like
settings: ``CONVOY_PORT=tcp://10.96.12.5:8000``. A Service named ``convoy-grpc`` sets ``CONVOY_GRPC_PORT`` in the same
way.

Source: https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables.
"""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Final

PREFIX: Final = "CONVOY_"
_OF_A_SERVICE: Final = re.compile(
    r"CONVOY(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.IGNORECASE
)
_MAY_BE_EMPTY: Final = (
    f"{PREFIX}FORWARDED_ALLOW_IPS",  # no proxy is trusted; the default trusts those on this machine
    f"{PREFIX}KEYS_FILE",  # an error, because without a key file anybody may use the service
)
_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)


def is_of_a_service(name: str, value: str) -> bool:
    """Whether Kubernetes set this variable for a Service, so that it is not a setting."""
    return _OF_A_SERVICE.fullmatch(name) is not None or (
        name.upper().startswith(PREFIX) and name.upper().endswith("_PORT") and _ADDRESS.match(value) is not None
    )


def is_setting(name: str, value: str) -> bool:
    """Whether a variable has a value for a setting: Kubernetes did not set it, and it is not empty.

    An empty variable is one that is not set, as in a compose file's ``${NAME:-}``; in two of them, empty has a meaning.
    """
    return not is_of_a_service(name, value) and (value != "" or name.upper() in _MAY_BE_EMPTY)


def remarks(environment: Mapping[str, str], settings: Collection[str]) -> list[str]:
    """Returns the warnings about the variables for the operator, one line each.

    Args:
        environment: all variables.
        settings: names of the settings, such as ``max_batch_size``.
    """
    known = {name.upper() for name in settings}
    ours = {name: value for name, value in environment.items() if name.upper().startswith(PREFIX)}
    passed_over = sorted(name for name, value in ours.items() if is_of_a_service(name, value))
    said = []
    if passed_over:
        said.append(
            f"ignored, because Kubernetes sets them for a Service: {', '.join(passed_over)}; "
            "with `enableServiceLinks: false` in the pod's specification, Kubernetes does not set them"
        )
    for name in sorted(ours.keys() - set(passed_over)):
        setting = name.upper().removeprefix(PREFIX)
        if setting not in known:
            nearest = get_close_matches(setting, known, n=1)
            said.append(f"{name} is not a setting" + (f"; did you mean {PREFIX}{nearest[0]}?" if nearest else ""))
    return said
