"""Expensive requests: each is refused, and the event loop still answers other requests.

``python -m bench.reliability stops`` measures exactly how long each blocks the loop, with bodies of full length.
"""

from urllib.parse import urlsplit

import pytest

from bench.reliability.hostile_bodies import HeavyRequest, hostile_requests
from bench.reliability.probe import LivenessProbe
from bench.reliability.stops import send
from tests.process import ServerProcess

pytestmark = pytest.mark.slow

_BODY_BYTES = 6 << 20
_LONGEST_STOP_S = 0.5  # below 0.03 s on an idle machine; up to 6 s without limits


def test_no_hostile_request_stops_the_event_loop(server: ServerProcess) -> None:
    address = urlsplit(server.url)
    host, port = str(address.hostname), int(address.port or 0)
    wrong: list[str] = []
    with LivenessProbe(host, port) as probe:
        for request in hostile_requests(_BODY_BYTES):
            probe.longest_s()
            status, body = send(host, port, request)
            longest_s = probe.longest_s()
            if not 400 <= status < 500 or longest_s > _LONGEST_STOP_S or len(body) > 20_000:
                wrong.append(f"{request.name}: {status}, {len(body)} bytes, stopped for {longest_s:.3f} s")
    assert not wrong
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "Warning" not in log


@pytest.mark.parametrize("brackets", [195, 4000])
def test_a_hostile_header_of_an_array_is_refused_without_a_line_in_the_log(
    server: ServerProcess, brackets: int
) -> None:
    address = urlsplit(server.url)
    header = b"(" * brackets
    body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    before = server.log.read_bytes()
    request = HeavyRequest("npy", "/predict", body, {"Content-Type": "application/x-npy"})
    status, answer = send(str(address.hostname), int(address.port or 0), request)
    assert status == 400
    assert b"write one with numpy.save" in answer
    assert server.log.read_bytes() == before
