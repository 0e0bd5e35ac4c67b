"""Reads the settings of the service from ``args`` of a Serve config and from ``CONVOY_*`` variables. Needs no Ray."""

import json
from collections.abc import Mapping
from typing import Any, Final

from service.environment import PREFIX, is_setting
from service.errors import SettingError
from service.settings import Settings
from service.settings_reader import read_settings

_LISTENING: Final = "http_options of the Serve config says where to listen"
_OF_RAY: Final = {
    "grpc_port": "replicas of one machine would need the same port; the protocol over REST is at /v2",
    "host": _LISTENING,
    "model_control": "a request reaches one replica only; deploy again, or set watch_interval_s",
    "port": _LISTENING,
    "port_variable": _LISTENING,
    "share_port": "Ray starts the replicas",
    "workers": "autoscaling_config of the Serve config says how many replicas there are",
}
"""Settings that cannot be used on Ray Serve, with the reason."""


def read_arguments(args: Mapping[str, Any]) -> Settings:
    """Reads the settings.

    Args:
        args: settings of the service by name, as in docs/configuration.md; null means what an empty variable means.

    Returns:
        The settings. Variables that say where to listen have no effect on Ray Serve; other programs may need them.

    Raises:
        SettingError: a value cannot be used, or Ray controls what the setting means.
    """
    for name, reason in _OF_RAY.items():
        if name in args:
            raise SettingError(f"{name} cannot be set on Ray Serve: {reason}")
    unknown = sorted(args.keys() - Settings.model_fields.keys())
    if unknown:
        raise SettingError(f"args of the Serve config: {unknown[0]} is no setting; docs/configuration.md lists them")
    texts = {name: _text(value) for name, value in args.items()}
    settings = read_settings(
        [f"--{name.replace('_', '-')}={text}" for name, text in texts.items() if is_setting(_variable(name), text)]
    )
    for name, reason in _OF_RAY.items():
        if reason != _LISTENING and getattr(settings, name) != Settings.model_fields[name].default:
            raise SettingError(f"{_variable(name)} cannot be set on Ray Serve: {reason}")
    return settings


def _text(value: Any) -> str:
    """A value of YAML as it would stand in a variable."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"
