"""The parts of the service that settings turn on: API keys, traces and gRPC. Each is imported only where it is on."""

# ruff: noqa: PLC0415  # an extra may not be installed, and each import takes time

import logging
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from service.errors import SettingError
from service.settings import Settings

if TYPE_CHECKING:
    from service.access import AccessControl
    from service.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)


def make_access(settings: Settings) -> "AccessControl | None":
    """Makes what checks API keys; None where no keys are set.

    Raises:
        KeyFileError: the key file cannot be used.
    """
    if settings.keys_file is None:
        return None
    from service.access import AccessControl, KeyFile, SharedRates
    from service.workers.shared_values import shared_folder

    keys, folder = KeyFile(settings.keys_file), shared_folder()
    if folder is None:
        return AccessControl(keys)
    try:
        return AccessControl(keys, SharedRates(folder))
    except OSError as error:
        logger.warning(
            "%s has no room for the request rates of keys (%s): each worker counts alone", folder, error.strerror
        )
        return AccessControl(keys)


def make_settling(settings: Settings) -> Callable[[set[str]], set[str]]:
    """Makes what tells all workers which names of models the first worker found at its start."""
    if settings.workers == 1:
        return set
    from service.workers.agreement import agree
    from service.workers.shared_values import shared_folder

    folder = shared_folder()
    return set if folder is None else lambda names: set(agree(folder, "models", "\n".join(names)).splitlines())


def make_tracing(settings: Settings) -> "Tracing | None":
    """Makes what receives spans; None where tracing is off.

    Raises:
        SettingError: the extra `tracing` is not installed.
    """
    if not settings.tracing:
        return None
    try:
        from service.telemetry.tracing import Tracing  # it takes a second
    except ModuleNotFoundError as error:
        raise _missing("tracing", "tracing", error) from error
    return Tracing()


def check_grpc(settings: Settings) -> None:
    """Imports what the gRPC server needs, where its port is set.

    Raises:
        SettingError: the extra `grpc` is not installed.
    """
    if settings.grpc_port is None:
        return
    try:
        import_module("service.grpc.server")
    except ModuleNotFoundError as error:
        raise _missing("grpc_port", "grpc", error) from error


def _missing(setting: str, extra: str, error: ModuleNotFoundError) -> SettingError:
    return SettingError(
        f"{setting} needs the extra `{extra}`, but its package {error.name} is not installed; "
        f"in a clone, `pip install -e '.[{extra}]'` installs it"
    )
