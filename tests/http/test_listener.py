"""Two programs that want one port at about the same time: the second one is told, and only one answers."""

import asyncio
import json
import socket
import subprocess
import sys

import pytest
import uvicorn

from service.errors import SettingError
from service.http.listener import claim, listen
from service.http.server import DrainingServer
from tests.process import ROOT


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_an_address_is_claimed_once() -> None:
    port = free_port()
    with claim("127.0.0.1", port), pytest.raises(OSError, match="Address already in use"), claim("127.0.0.1", port):
        pass
    with claim("127.0.0.1", port), claim("127.0.0.1", free_port()), claim("127.0.0.2", port):
        pass


@pytest.mark.parametrize(
    ("first", "second"),
    [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "::"), ("::", "0.0.0.0"), ("::ffff:127.0.0.1", "0.0.0.0")],
)
def test_overlapping_addresses_are_claimed_once(first: str, second: str) -> None:
    port = free_port()
    for one, other in ((first, second), (second, first)):
        with claim(one, port), pytest.raises(OSError, match="Address already in use"), claim(other, port):
            pass


def test_addresses_that_do_not_overlap_are_claimed_side_by_side() -> None:
    port = free_port()
    with claim("0.0.0.0", port), claim("::1", port), claim("0.0.0.0", free_port()):
        pass
    with claim("127.0.0.1", port), claim("127.0.0.2", port), claim("::1", port):
        pass


@pytest.mark.parametrize("flags", [("--port", "{}"), ("--port", "0", "--grpc-port", "{}")], ids=["HTTP", "gRPC"])
def test_a_service_does_not_start_and_logs_why_where_another_one_is_starting(flags: tuple[str, ...]) -> None:
    port = free_port()
    command = [sys.executable, "-m", "service", "--workers", "2", *(flag.format(port) for flag in flags)]
    with claim("127.0.0.1", port):
        ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    [event] = [json.loads(line) for line in ended.stderr.splitlines()]
    assert event["message"] == f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert event["level"] == "ERROR"


async def test_a_port_that_was_taken_while_models_loaded_ends_the_start() -> None:
    announced: list[bool] = []
    with listen("127.0.0.1", 0, shared=False) as listener, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(listener.getsockname())
        other.listen()
        server = DrainingServer(
            uvicorn.Config(lambda: None, lifespan="off", log_config=None),
            asyncio.Event(),
            drain_delay_s=0,
            started=lambda: announced.append(True),
        )
        with pytest.raises(SettingError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"):
            await server.serve(sockets=[listener])
    assert not announced
