import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.logs import TextFormatter, _json_formatter, _StandardError
from tests.imaging.files import noisy_pictures
from tests.process import ROOT, ServerProcess

pytestmark = pytest.mark.slow

# Control characters except the end of a line, Unicode's line separators, and changes of the direction of writing.
UNSAFE = "".join(map(chr, (*range(10), *range(11, 32), *range(127, 160), 0x2028, 0x2029, 0x202E, 0x2066)))


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


@pytest.mark.parametrize(("level", "is_told"), [("error", True), ("info", False)])
def test_a_level_that_leaves_out_the_lines_of_requests_is_told_at_start(
    tmp_path: Path, level: str, is_told: bool
) -> None:
    """There are no models, so that the start ends at once."""
    flags = ("--access-log", "true", "--log-level", level, "--models-dir", str(tmp_path), "--port", "0")
    command = [sys.executable, "-m", "service", *flags]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    said = f"access_log is on, but log_level={level} leaves out its lines, whose level is info"
    assert (said in ended.stderr) == is_told


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


def test_hostile_requests_leave_a_line_each(tmp_path: Path) -> None:
    paths = ("/%0A%0D", "/%E2%80%A8%C2%85%1B%5B31m", "/%FF%ED%A0%80", "/" + "a" * 20_000, "/%00%7F%C2%9B")
    array = b"\x93NUMPY\x01\x00\xf6\x0f" + b"{'descr': 1is 1, '\\d\\d\\d': 0}".ljust(4085) + b"\n"
    for number, log_format in enumerate(("json", "text")):
        log = tmp_path / str(number)
        with ServerProcess(log, "--access-log", "true", "--log-format", log_format) as process:
            for path in paths:
                httpx.get(process.url + path, headers={"x-request-id": "two\tcells"})
            httpx.post(f"{process.url}/predict", content=array, headers={"content-type": "application/x-npy"})
            name = 'a"b\n{"level": "ERROR"}.png'
            httpx.post(f"{process.url}/predict", files={"file": (name, b"no picture")}, params={"model": "no\nsuch"})
        shown = log.read_text("utf-8")
        assert sum(" request " in line or '"request"' in line for line in shown.splitlines()) == len(paths) + 2
        assert all(line.startswith(('{"time":', "20")) for line in shown.splitlines())
        assert not set(shown) & set(UNSAFE)
        assert max(map(len, shown.splitlines())) < 3_000


def formatted(formatter: logging.Formatter, message: object, **fields: Any) -> str:
    record = logging.LogRecord("service", logging.INFO, "file", 1, message, None, fields.pop("exc_info", None))
    record.__dict__ |= fields
    return formatter.format(record)


def test_text_keeps_an_event_on_one_line() -> None:
    event = {"message": "request", "path": "/two\nlines", "status": 404}
    assert formatted(TextFormatter(), event).endswith('INFO service: request path="/two\\nlines" status=404')
    assert formatted(TextFormatter(), "a\nb\u2028c\x1b[31m").endswith("service: a\\nb\\u2028c\\u001b[31m")


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=()), max_size=20))
def test_whatever_is_logged_stays_on_one_line(text: str, name: str) -> None:
    for message in (text, {"message": text, name: text, "number": 1 << 70, "nested": [text, {name: b"\xff"}]}):
        line = formatted(_json_formatter(), message)
        assert len(line.splitlines()) == 1
        assert not set(line) & set(UNSAFE)
        assert json.loads(line)["level"] == "INFO"
        line = formatted(TextFormatter(), message)
        assert len(line.splitlines()) == 1
        assert not set(line) & set(UNSAFE)


def test_what_is_long_is_cut() -> None:
    for formatter in (_json_formatter(), TextFormatter()):
        assert len(formatted(formatter, "x" * 100_000)) < 2_500
        assert len(formatted(formatter, {"message": "request", "path": "x" * 100_000})) < 1_500
        assert "98000 more characters" in formatted(formatter, "x" * 100_000)


def test_a_line_of_a_traceback_cannot_be_taken_for_an_event() -> None:
    forged = "2026-01-01 00:00:00,000 INFO service: request"
    try:
        int(f"first\n{forged}\r{forged}{'x' * 100_000}")
    except ValueError as error:
        error.add_note(f"second\n{forged}")
        shown = formatted(TextFormatter(), "failed", exc_info=sys.exc_info())
    first, *others = shown.splitlines()
    assert first.endswith("INFO service: failed")
    assert all(line.startswith("  | ") for line in others)
    assert len(shown) < 30_000


UNCAUGHT = """
import threading, warnings
from service.telemetry.logs import configure_logs
configure_logs("info", "json")
warnings.warn("one\\ntwo", stacklevel=1)
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
class Broken:
    def __del__(self):
        raise ValueError("late")
Broken()
raise RuntimeError("last")
"""


def test_warnings_and_uncaught_exceptions_are_events() -> None:
    ended = subprocess.run([sys.executable, "-c", UNCAUGHT], cwd=ROOT, check=False, capture_output=True, text=True)
    events = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [event["message"] for event in events] == ["one\ntwo", *["an exception was not caught"] * 3]
    assert events[0]["category"] == "UserWarning"
    assert ["ZeroDivisionError" in events[1]["exc_info"], "late" in events[2]["exc_info"]] == [True, True]
    assert ended.returncode == 1


def test_a_reader_that_stalls_costs_lines_which_are_counted_and_no_time() -> None:
    reader, writer = os.pipe()
    with open(writer, "w") as stream, open(reader) as stalled:  # noqa: PTH123  of numbers
        handler = _StandardError(stream)
        handler.setFormatter(_json_formatter())
        for number in range(2_000):
            handler.handle(logging.LogRecord("service", logging.INFO, "file", 1, f"{number} {'x' * 1000}", None, None))
        written = [json.loads(stalled.readline())["message"].split()[0] for _ in range(500)]
        handler.handle(logging.LogRecord("service", logging.INFO, "file", 1, "last", None, None))
        while "dropped" not in (line := stalled.readline()):
            written.append(json.loads(line)["message"].split()[0])
        assert json.loads(stalled.readline())["message"] == "last"
        assert written == [str(number) for number in range(len(written))]
        assert json.loads(line)["lines"] == 2_000 - len(written)
        assert json.loads(line)["level"] == "WARNING"


STALLED = """
import logging
from service.telemetry.logs import configure_logs
from service.workers.stop_signals import end
configure_logs("info", "json")
for _ in range(2_000):
    logging.info("x" * 1_000)
{}
"""


@pytest.mark.parametrize("ending", ["end(3)", "raise SystemExit(3)"])
def test_a_reader_that_stalls_does_not_hold_up_the_end(ending: str) -> None:
    command = [sys.executable, "-c", STALLED.format(ending)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.wait(10) == 3


@pytest.mark.parametrize("ending", ["end(3)", "raise SystemExit(3)"])
def test_the_last_lines_are_written_before_the_end(ending: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STALLED.format(ending).replace("2_000", "900")],
        cwd=ROOT,
        check=False,
        capture_output=True,
    )
    assert len(ended.stderr.splitlines()) == 900
