"""``python -m service``: serves the model repository over HTTP.

``python -m service doctor`` explains the machine; ``python -m service keys new`` makes an API key.
"""

import sys

from pydantic import ValidationError
from pydantic_settings import CliApp

from service.errors import ConvoyError
from service.http.listener import listen
from service.settings import Settings
from service.telemetry.logs import configure_logs


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
    configure_logs(settings.log_level, settings.log_format)
    return _serve(settings)


def _serve(settings: Settings) -> int:
    try:
        listener = listen(settings.host, settings.port, shared=settings.share_port)
    except OSError as error:
        print(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 1
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def announce() -> None:
        print(f"Convoy serves at {address}\nThe docs page is {address}/docs", flush=True)

    try:
        if settings.workers > 1:
            from service.workers.supervisor import Supervisor  # noqa: PLC0415  its parent process stays small

            return Supervisor(settings, announce).run(listener)
        from service.http.server import serve  # noqa: PLC0415  --help need not wait for what this imports

        serve(settings, listener, announce)
    except ConvoyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
