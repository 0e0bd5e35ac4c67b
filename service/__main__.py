"""``python -m service``: serves the model repository over HTTP.

``python -m service doctor`` reports what this machine can serve, ``python -m service keys new`` makes an API key,
``python -m service score`` scores folders of pictures, ``python -m service verify`` repeats a prediction to check its
receipt, ``python -m service health`` checks whether the service is ready. Each imports only what it needs.
"""

# ruff: noqa: PLC0415  # imports wait until a command needs them

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Final

from service.workers.garbage import no_collection
from service.workers.stop_signals import StopSignals, end

if TYPE_CHECKING:
    from service.settings import Settings

logger = logging.getLogger("service")

_COMMANDS: Final = {
    "health": "service.health_check",
    "keys": "service.access.command",
    "score": "service.scoring.command",
    "verify": "service.models.verification",
}
"""The module of each command that needs no settings."""


def main(arguments: Sequence[str]) -> int:
    """Runs a command, or serves until told to stop.

    Args:
        arguments: without the program's name.

    Returns:
        Exit status.
    """
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", ())
    if command in _COMMANDS:
        run: Callable[[Sequence[str]], int] = import_module(_COMMANDS[command]).main
        return run(rest)
    with no_collection():
        from service.environment import remarks
        from service.errors import SettingError
        from service.settings import Settings
        from service.settings_reader import read_settings
        from service.telemetry.logs import configure_logs

    _fill_standard_files()
    try:
        is_doctor = command == "doctor"
        settings = read_settings(rest if is_doctor else arguments, for_doctor=is_doctor)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    said, unseen = remarks(os.environ, Settings.model_fields), _unseen_requests(settings)
    if is_doctor:
        from service.models.doctor import doctor

        configure_logs("error", settings.log_format)
        return doctor(settings, [*said, *unseen])
    signals = StopSignals()
    configure_logs(settings.log_level, settings.log_format)
    for remark in said:
        logger.warning(remark)
    for remark in unseen:
        logger.log(logger.getEffectiveLevel(), remark)
    if settings.dialects:
        logger.info(
            "dialects that are on: %s; models are looked for in %s", ", ".join(settings.dialects), settings.models_dir
        )
    return _serve(settings, signals)


def _unseen_requests(settings: "Settings") -> list[str]:
    """A remark where the lines of requests are asked for, but are less severe than the level that is logged."""
    if not settings.access_log or settings.log_level in ("debug", "info"):
        return []
    return [f"access_log is on, but log_level={settings.log_level} leaves out its lines, whose level is info"]


def _serve(settings: "Settings", signals: StopSignals) -> int:
    from service.errors import ConvoyError
    from service.http.listener import claim, listen

    claims, port = ExitStack(), settings.port
    try:
        for port in () if settings.share_port else filter(None, (settings.grpc_port, settings.port)):
            claims.enter_context(claim(settings.host, port))
        listener = listen(settings.host, settings.port, shared=settings.share_port)
    except OSError as error:
        logger.error("cannot listen on %s:%s: %s", settings.host, port, error.strerror)  # noqa: TRY400  it says all
        return 1
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def announce() -> None:
        claims.close()
        try:
            print(f"Convoy serves at {address}\nThe docs page is {address}/docs", flush=True)
        except (OSError, ValueError) as error:  # the reader of the pipe has closed it, or the disk is full
            logger.warning("serving at %s; standard output cannot be written to: %s", address, error)

    try:
        if settings.workers > 1:
            from service.workers.supervisor import Supervisor

            return Supervisor(settings, announce, signals).run(listener)
        with no_collection():
            from service.http.server import serve
        serve(settings, listener, announce, signals)
    except ConvoyError as error:
        logger.error("cannot start: %s", error)  # noqa: TRY400  as above
    except SystemExit as error:  # uvicorn's, where the start failed
        return error.code if isinstance(error.code, int) else 1
    return 1


def _fill_standard_files() -> None:
    """Puts /dev/null where standard input, output or error is closed, so that no socket gets their numbers."""
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(file, True)
    os.close(file)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115  open until the process ends


if __name__ == "__main__":
    end(main(sys.argv[1:]))
