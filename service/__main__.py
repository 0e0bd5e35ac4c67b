"""``python -m service``: serves the model repository over HTTP.

``python -m service doctor`` explains the machine; ``python -m service keys new`` makes an API key.
"""

import logging
import os
import sys

from pydantic import ValidationError
from pydantic_settings import CliApp

from service.errors import ConvoyError
from service.http.listener import listen
from service.settings import Settings
from service.telemetry.logs import configure_logs
from service.workers.stop_signals import StopSignals, end

logger = logging.getLogger(__name__)


def main() -> int:
    """Reads the settings and serves until told to stop.

    Returns:
        Exit status.
    """
    if sys.argv[1:2] == ["keys"]:
        from service.access.command import main as keys  # noqa: PLC0415  serving without keys needs none of it

        return keys(sys.argv[2:])
    is_doctor = sys.argv[1:2] == ["doctor"]
    try:
        settings = CliApp.run(Settings, cli_args=sys.argv[2 if is_doctor else 1 :])
    except ValidationError as error:
        for fault in error.errors():
            print(": ".join(filter(None, [".".join(map(str, fault["loc"])), fault["msg"]])), file=sys.stderr)
        return 2
    if is_doctor:
        from service.models.doctor import doctor  # noqa: PLC0415  it imports ONNX Runtime, which a parent of workers does not

        configure_logs("error", settings.log_format)
        return doctor(settings)
    return _serve(settings)


def _serve(settings: Settings) -> int:
    _fill_standard_files()
    signals = StopSignals()
    configure_logs(settings.log_level, settings.log_format)
    try:
        listener = listen(settings.host, settings.port, shared=settings.share_port)
    except OSError as error:
        print(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 1
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def announce() -> None:
        try:
            print(f"Convoy serves at {address}\nThe docs page is {address}/docs", flush=True)
        except (OSError, ValueError) as error:  # its reader has gone, or the device is full
            logger.warning("serving at %s; standard output cannot be written to: %s", address, error)

    try:
        if settings.workers > 1:
            from service.workers.supervisor import Supervisor  # noqa: PLC0415  its parent process stays small

            return Supervisor(settings, announce, signals).run(listener)
        from service.http.server import serve  # noqa: PLC0415  --help need not wait for what this imports

        serve(settings, listener, announce, signals)
    except ConvoyError as error:
        print(error, file=sys.stderr)
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
    end(main())
