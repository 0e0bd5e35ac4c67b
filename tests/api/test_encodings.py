"""Compression of answers where the client accepts it, and CORS headers where they are configured."""

import base64
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.process import ServerProcess

ORIGIN = "https://example.org"
PNG = {"Content-Type": "image/png"}
ACCEPTING = ("gzip", "br, gzip;q=0.5", "*", "*;q=0, gzip")
REFUSING = ("identity", "gzip;q=0", "gzip;q=0.", "*, gzip;q=0", "gzip ; q=0.000, *", "*;q=0")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server that permits requests from pages of one origin."""
    log = tmp_path_factory.mktemp("cors") / "log"
    with ServerProcess(log, "--cors-origins", ORIGIN) as process, httpx.Client(base_url=process.url) as http:
        yield http


class TestCompression:
    @pytest.mark.parametrize("accepted", [*ACCEPTING, *REFUSING])
    def test_a_large_answer(self, client: httpx.Client, cat: bytes, accepted: str) -> None:
        parts = [("file", ("cat.png", cat))] * 100
        answer = client.post("/predict", files=parts, headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == (None if accepted in REFUSING else "gzip")
        assert len(answer.json()["predictions"]) == 100

    @pytest.mark.parametrize("lines", [("gzip", "br"), ("br", "gzip")])
    def test_lines_of_one_header_are_one_list(self, client: httpx.Client, cat: bytes, lines: tuple[str, ...]) -> None:
        asked = [("Content-Type", "application/json"), *(("Accept-Encoding", line) for line in lines)]
        pictures = {"images": [base64.b64encode(cat).decode()] * 100}
        answer = client.post("/predict", content=json.dumps(pictures), headers=asked)
        assert answer.headers.get("content-encoding") == "gzip"

    def test_a_small_answer_is_left_as_it_is(self, client: httpx.Client, cat: bytes) -> None:
        answer = client.post("/predict", content=cat, headers={**PNG, "Accept-Encoding": "gzip"})
        assert "content-encoding" not in answer.headers

    @pytest.mark.parametrize("accepted", [*ACCEPTING, *REFUSING])
    def test_the_schema(self, client: httpx.Client, accepted: str) -> None:
        answer = client.get("/openapi.json", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == (None if accepted in REFUSING else "gzip")
        assert answer.json()["info"]["title"] == "Convoy"


class TestOtherOrigins:
    def test_a_page_may_ask_and_read(self, shared: httpx.Client, cat: bytes) -> None:
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        preflight = shared.options("/predict", headers={**asked, "Access-Control-Request-Headers": "content-type"})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == ORIGIN
        answer = shared.post("/predict", content=cat, headers={**PNG, "Origin": ORIGIN})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]

    def test_an_error_can_be_read_too(self, shared: httpx.Client) -> None:
        answer = shared.post("/predict", content=b"no picture", headers={**PNG, "Origin": ORIGIN})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (422, ORIGIN)

    def test_a_page_of_another_origin_may_not(self, shared: httpx.Client, cat: bytes) -> None:
        answer = shared.post("/predict", content=cat, headers={**PNG, "Origin": "https://elsewhere.example"})
        assert "access-control-allow-origin" not in answer.headers

    def test_nobody_may_where_it_is_not_set(self, client: httpx.Client, cat: bytes) -> None:
        answer = client.post("/predict", content=cat, headers={**PNG, "Origin": ORIGIN})
        assert "access-control-allow-origin" not in answer.headers
