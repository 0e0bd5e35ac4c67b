"""Reads the settings from flags, from ``CONVOY_*`` variables and from the variables of a container's host.

A flag has priority over its variable, and a variable over the default. An error names the flag or the variable.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsConfigDict

from service.environment import PREFIX
from service.errors import SettingError
from service.hosting import SAGEMAKER_WORD, HostingError, host_settings
from service.settings import Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_LONGEST_SHOWN = 100


def read_settings(arguments: Sequence[str], *, for_doctor: bool = False) -> Settings:
    """Reads the settings from flags and the environment.

    Args:
        arguments: the flags.
        for_doctor: whether they are for `convoy doctor`, instead of `convoy serve`.

    Raises:
        SettingError: a value cannot be used; the message names it and its flag or variable.
        SystemExit: a flag is unknown, or help was asked for.
    """
    words = list(arguments)
    try:
        kind = _settings_of_doctor() if for_doctor else Settings
        settings = CliApp.run(kind, cli_args=words[1:] if words[:1] == [SAGEMAKER_WORD] else words)
        return _follow_host(settings, host_settings(words, os.environ, settings.port_variable))
    except HostingError as error:
        raise SettingError(str(error)) from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        raise SettingError("\n".join(_tell(fault, arguments) for fault in faults)) from None


def _settings_of_doctor() -> type[Settings]:
    """Makes the same settings with a help text for `convoy doctor`; done only there, because it takes time."""

    class DoctorSettings(Settings):
        model_config = SettingsConfigDict(cli_prog_name="convoy doctor")

    return DoctorSettings


def _follow_host(settings: Settings, asked: dict[str, Any]) -> Settings:
    """Applies the settings of the container's host, where neither a flag nor a ``CONVOY_*`` variable sets them."""
    changes = {name: value for name, value in asked.items() if name not in settings.model_fields_set}
    if "dialects" in asked:
        changes["dialects"] = tuple(dict.fromkeys((*settings.dialects, *asked["dialects"])))
    return type(settings)(**(dict(settings) | changes)) if changes else settings  # checked together, as at first


def _tell(fault: "ErrorDetails", arguments: Sequence[str]) -> str:
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:  # of several settings together; the message names them
        return message
    field, *place = fault["loc"]
    value = str(fault["input"])[:_LONGEST_SHOWN]
    origin = _origin(str(field), arguments)
    if place and isinstance(place[0], int):
        return f"{origin[:-1]}, element {place[0] + 1}, {value}: {message}"
    return f"{origin}{value}: {message}"


def _origin(field: str, arguments: Sequence[str]) -> str:
    """Returns the flag, or the variable, before its value: ``--port `` or ``CONVOY_PORT=``."""
    flag = f"--{field.replace('_', '-')}"
    is_flag = any(argument == flag or argument.startswith(f"{flag}=") for argument in arguments)
    return f"{flag} " if is_flag else f"{PREFIX}{field.upper()}="
