"""``convoy health``: whether the service that runs here is ready, for a container's health check.

It finds the running service among the processes, and reads address and port from the flags of that process, else from
its environment. So ``--port`` is respected. Of several services it asks the oldest one; given ``--port``, the one with
that port. It imports the standard library only, because it runs every few seconds.
"""

import http.client
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from service.hosting import HostingError, host_settings

_PROCESSES: Final = Path("/proc")
_TIMEOUT_S: Final = 2.0
_DEFAULT_PORT: Final = 8000
_MOST_PORT: Final = 65535
_EVERY_INTERFACE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  not listened on here
_OTHER_COMMANDS: Final = ("health", "keys", "doctor", "score", "verify")


def main(arguments: Sequence[str]) -> int:
    """Checks the service, and prints one line where it is not ready.

    Args:
        arguments: ``--host`` and ``--port``; by default, those of the running service.

    Returns:
        0 where the service is ready, 1 where it is not, 2 where a flag is unknown or has no value that fits.
    """
    if {"-h", "--help"} & set(arguments):
        print("usage: convoy health [--host HOST] [--port PORT]")
        print("The defaults are those of the oldest service that runs here.")
        return 0
    if (wrong := _wrong_flag(arguments)) is not None:
        print(f"{wrong[:100]}: the flags are --host HOST and --port 1 to {_MOST_PORT}", file=sys.stderr)
        return 2
    try:
        flags, environment = _service_at(_flag(arguments, "--port"))
        host, port = _address([*flags, *arguments], environment)
    except HostingError as error:
        print(error, file=sys.stderr)
        return 1
    host = _EVERY_INTERFACE.get(host, host)
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/health/ready")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"{host}:{connection.port} does not answer: {error or 'no answer'}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    if status != http.client.OK:
        print(f"{host}:{connection.port} is not ready", file=sys.stderr)
    return int(status != http.client.OK)


def _service_at(port: str) -> tuple[list[str], Mapping[str, str]]:
    """Flags and environment of the oldest service here, or of the oldest with this port where one is given.

    Where there is none: no flags, and this process's environment.
    """
    services = (service for service in _services() if not port or _port_of(*service) == int(port))
    return next(services, ([], dict(os.environ)))


def _port_of(flags: Sequence[str], environment: Mapping[str, str]) -> int | None:
    try:
        return _address(flags, environment)[1]
    except HostingError:  # this process is not the one that is asked for, since it cannot start
        return None


def _address(flags: Sequence[str], environment: Mapping[str, str]) -> tuple[str, int]:
    """Where a service with these flags and variables listens.

    Raises:
        HostingError: a variable of its host has a value that cannot be used.
    """
    host = _flag(flags, "--host") or environment.get("CONVOY_HOST", "")
    port = _flag(flags, "--port") or environment.get("CONVOY_PORT", "")
    if not port.isdecimal():
        port_variable = _flag(flags, "--port-variable") or environment.get("CONVOY_PORT_VARIABLE")
        port = str(host_settings(flags, environment, port_variable).get("port", ""))
    return host, int(port) if port.isdecimal() else _DEFAULT_PORT


def _services() -> Iterator[tuple[list[str], Mapping[str, str]]]:
    """Flags and environment of each running service, the oldest first."""
    for pid in sorted(int(entry.name) for entry in _PROCESSES.iterdir() if entry.name.isdecimal()):
        try:
            words = (_PROCESSES / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
            flags = _flags_of_a_service(words)
            if flags is None:
                continue
            variables = (_PROCESSES / str(pid) / "environ").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:  # the process has ended, or belongs to another user
            continue
        yield flags, {name: value for name, _, value in (variable.partition("=") for variable in variables)}


def _flags_of_a_service(words: list[str]) -> list[str] | None:
    """The flags of ``python -m service`` and of ``convoy serve``; None for any other command."""
    for place, (word, following) in enumerate(pairwise(words)):
        if (word, following) == ("-m", "service") or (Path(word).name, following) == ("convoy", "serve"):
            flags = words[place + 2 :]
            return None if flags[:1] and flags[0] in _OTHER_COMMANDS else flags
    return None


def _wrong_flag(arguments: Sequence[str]) -> str | None:
    """The first flag that is unknown or has no value that fits, with its value; None where there is none."""
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            value = next(words, "")
        is_port = value.isascii() and value.isdecimal() and 0 < int(value) <= _MOST_PORT
        if name not in ("--host", "--port") or not value or (name == "--port" and not is_port):
            return word if equals else f"{word} {value}".strip()
    return None


def _flag(flags: Sequence[str], name: str) -> str:
    """The value of a flag; the last one counts, as for the service."""
    value = ""
    for flag, following in pairwise([*flags, ""]):
        if flag == name:
            value = following
        elif flag.startswith(f"{name}="):
            value = flag.partition("=")[2]
    return value
