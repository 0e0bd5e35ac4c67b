"""Traces, as a real collector receives them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.process import ServerProcess

pytest.importorskip("opentelemetry.sdk", reason="the extra `tracing` is not installed")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

pytestmark = pytest.mark.slow

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"


class Collector:
    """Receives OTLP over HTTP on a free port, and keeps every span."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                export = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
                for resource in export.resource_spans:
                    names = {item.key: item.value.string_value for item in resource.resource.attributes}
                    collector.services.add(names["service.name"])
                    collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def test_a_request_continues_its_client_s_trace_and_links_to_its_batch(
    collector: Collector, tmp_path: Path, cat: bytes
) -> None:
    env = {
        "CONVOY_TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    with ServerProcess(tmp_path / "log", env=env) as process:
        headers = {"content-type": "image/png", "traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}
        answer = httpx.post(f"{process.url}/predict", content=cat, headers=headers)
        assert answer.status_code == 200
        assert httpx.post(f"{process.url}/preprocess", content=cat).status_code == 200
        assert httpx.get(f"{process.url}/anything").status_code == 404
    assert answer.headers["traceresponse"].startswith(f"00-{TRACE_ID}-")
    assert collector.services == {"convoy"}
    spans = {span.name: span for span in collector.spans}
    of_requests = {"POST /predict", "POST /preprocess", "GET /..."}
    assert set(spans) == of_requests | {"classify", "decode", "queue", "inference", "batch"}

    server, classify, batch = spans["POST /predict"], spans["classify"], spans["batch"]
    assert (server.trace_id.hex(), server.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert classify.parent_span_id == server.span_id
    for stage in ("decode", "queue", "inference"):
        assert spans[stage].parent_span_id == classify.span_id
        assert spans[stage].start_time_unix_nano <= spans[stage].end_time_unix_nano
    assert batch.trace_id.hex() != TRACE_ID
    assert [(link.trace_id.hex(), link.span_id) for link in batch.links] == [(TRACE_ID, classify.span_id)]


def test_an_untraced_request_makes_no_span(collector: Collector, tmp_path: Path, cat: bytes) -> None:
    env = {"CONVOY_TRACING": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with ServerProcess(tmp_path / "log", env=env) as process:
        headers = {"content-type": "image/png", "traceparent": f"00-{TRACE_ID}-{PARENT_ID}-00"}
        assert httpx.post(f"{process.url}/predict", content=cat, headers=headers).status_code == 200
    assert collector.spans == []


def test_tracing_is_not_imported_unless_it_is_on(tmp_path: Path, cat: bytes) -> None:
    env = {"PYTHONPROFILEIMPORTTIME": "1"}
    with ServerProcess(tmp_path / "log", env=env) as process:
        httpx.post(f"{process.url}/predict", content=cat, headers={"content-type": "image/png"})
    imported = (tmp_path / "log").read_text()
    assert "service.app" in imported
    assert "opentelemetry.sdk" not in imported
    assert "service.telemetry.tracing" not in imported
