"""The service keeps idle connections longer than nginx does, so that none is closed while a request is sent."""

import time
from pathlib import Path

import httpx
import pytest

from service.settings import Settings
from tests.fixtures.nginx import nginx
from tests.process import ServerProcess
from tests.server.hostile import PNG, wire

pytestmark = pytest.mark.slow

REQUESTS = 60
_UPSTREAM = "upstream convoy {{ server {address}; keepalive 8; keepalive_timeout {kept}; }}"
_LOCATION = 'location / { proxy_pass http://convoy; proxy_http_version 1.1; proxy_set_header Connection ""; }'


def test_an_idle_connection_is_kept_longer_than_load_balancers_keep_it() -> None:
    """Five seconds is uvicorn's own limit; nginx and AWS's load balancer keep connections for 60."""
    assert Settings.model_fields["keep_alive_timeout_s"].default > 60


def test_the_time_is_that_of_the_setting(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log", "--keep-alive-timeout-s", "0.5") as process, wire(process) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert connection.recv(65536) == b""


def test_no_post_is_lost_behind_nginx(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log", "--keep-alive-timeout-s", "3") as process:
        upstream = _UPSTREAM.format(address=process.url.removeprefix("http://"), kept="1s")
        with nginx(tmp_path / "nginx", _LOCATION, upstream) as url, httpx.Client(base_url=url, timeout=30) as client:
            statuses = []
            for _ in range(REQUESTS):
                statuses.append(client.post("/predict", content=cat, headers=PNG).status_code)
                time.sleep(0.02)
            time.sleep(1.5)  # longer than nginx's limit, shorter than the service's
            statuses.append(client.post("/predict", content=cat, headers=PNG).status_code)
    assert set(statuses) == {200}
