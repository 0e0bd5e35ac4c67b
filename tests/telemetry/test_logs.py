import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.telemetry.logs import TextFormatter
from tests.imaging.files import noisy_pictures
from tests.process import ServerProcess

pytestmark = pytest.mark.slow


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_line_a_request_says_what_became_of_it_and_no_more(tmp_path: Path, cat: bytes) -> None:
    key = "secret-key"
    with ServerProcess(tmp_path / "log", "--access-log", "true", "--log-format", "json") as process:
        headers = {"content-type": "image/png", "x-request-id": "abc-1", "authorization": f"Bearer {key}"}
        httpx.post(f"{process.url}/predict", content=cat, headers=headers)
        httpx.post(f"{process.url}/predict", content=b"not a picture", headers=headers, params={"key": key})
        httpx.get(f"{process.url}/two%0Alines")
    requests = [line for line in lines(tmp_path / "log") if line["message"] == "request"]
    answered, refused, unknown = requests
    assert (answered["request_id"], answered["status"], answered["path"]) == ("abc-1", 200, "/predict")
    assert (answered["model"], answered["images"], answered["batch_size"]) == ("cifar10", 1, 1)
    assert answered["version"].isdecimal()
    assert answered["total_ms"] >= answered["decode_ms"] + answered["queue_ms"] + answered["inference_ms"] - 0.01
    assert (refused["status"], refused["reason"]) == (400, "malformed_request")
    assert (unknown["status"], unknown["path"]) == (404, "/two\nlines")
    assert key not in (tmp_path / "log").read_text()


def test_no_line_a_request_unless_asked(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log") as process:
        httpx.post(f"{process.url}/predict", content=cat, headers={"content-type": "image/png"})
    assert "request" not in [line["message"] for line in lines(tmp_path / "log")]


def test_no_picture_writes_more_than_the_line_of_its_request(tmp_path: Path) -> None:
    noisy = noisy_pictures()
    with ServerProcess(tmp_path / "log", "--access-log", "true", "--log-format", "json") as process:
        for data in noisy.values():
            httpx.post(f"{process.url}/predict", content=data, headers={"content-type": "image/png"}, timeout=30)
    requests = [line["message"] for line in lines(tmp_path / "log")].count("request")
    assert requests == len(noisy)
    assert len((tmp_path / "log").read_bytes()) < 20_000


def test_each_line_has_time_level_and_logger(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log"):
        pass
    for line in lines(tmp_path / "log"):
        assert {"time", "level", "logger", "pid", "message"} <= line.keys()


def test_text_keeps_an_event_on_one_line() -> None:
    event = {"message": "request", "path": "/two\nlines", "status": 404}
    record = logging.LogRecord("service", logging.INFO, "file", 1, event, None, None)
    line = TextFormatter().format(record)
    assert line.endswith('INFO service: request path="/two\\nlines" status=404')
    assert "\n" not in line
