"""Configures logging: one JSON object per line for machines, or text with ``key=value`` for people.

An event with fields is logged as a dictionary: ``logger.info({"message": "request", "status": 200})``. A traceback as
text is in its field ``exc_info``.
"""

import logging
import sys
import threading
import time
import warnings
from types import TracebackType
from typing import Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS, BaseJsonFormatter

from service.settings import LogFormat
from service.telemetry.log_text import (
    LONGEST_FIELD,
    LONGEST_MESSAGE,
    as_json,
    bounded,
    on_lines_of_their_own,
    on_one_line,
)
from service.telemetry.log_writer import LogWriter

logger = logging.getLogger(__name__)


def configure_logs(level: str, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Sets up logging for this process. Warnings and uncaught exceptions are logged, too.

    Args:
        level: least severe level that is written.
        log_format: of a line; ``auto`` is text on a terminal and JSON elsewhere.
        stream: where lines are written, a file; None: standard error.
    """
    stream = stream or sys.stderr
    is_json = log_format == "json" or (log_format == "auto" and not stream.isatty())
    handler = _StandardError(stream)
    handler.setFormatter(_json_formatter() if is_json else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    warnings.showwarning = _log_warning
    sys.excepthook = _log_uncaught
    sys.unraisablehook = lambda found: _log_uncaught(found.exc_type, found.exc_value, found.exc_traceback)
    threading.excepthook = lambda found: _log_uncaught(found.exc_type, found.exc_value, found.exc_traceback)


def flush_logs() -> None:
    """Waits until all earlier lines are written; at most a short time, if standard error is not being read."""
    for handler in logging.getLogger().handlers:
        handler.flush()


class _StandardError(logging.Handler):
    """Formats records, and leaves the writing to a thread. Records that find no room are counted."""

    def __init__(self, stream: TextIO) -> None:
        self._encoding = stream.encoding
        self._writer = LogWriter(stream)
        self._dropped = 0
        super().__init__()  # last: from here on a signal may end the process, which flushes every handler

    def emit(self, record: logging.LogRecord) -> None:
        """Adds a record to the lines to write; the first one after dropped ones is preceded by their number."""
        if self._writer.is_full:
            self._dropped += 1
            return
        if self._dropped:
            event = {"message": "lines were dropped, because standard error was not read", "lines": self._dropped}
            told = {"name": logger.name, "levelno": logging.WARNING, "levelname": "WARNING", "msg": event}
            self._writer.add(self._line(logging.makeLogRecord(told)))
            self._dropped = 0
        self._writer.add(self._line(record))

    def _line(self, record: logging.LogRecord) -> bytes:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001  what a caller logs must not fail its work
            line = f"a line of {record.name} could not be formatted"
        return f"{line}\n".encode(self._encoding, "backslashreplace")

    def flush(self) -> None:
        """Does the same as :func:`flush_logs`, for this handler. Python calls it when the process ends."""
        self._writer.flush()


class TextFormatter(logging.Formatter):
    """The text format: time, level, logger, message, and an event's fields as ``key=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, followed by the indented traceback if there is one."""
        fields = dict(record.msg) if isinstance(record.msg, dict) else {"message": record.getMessage()}
        traceback = fields.pop("exc_info", None) or (self.formatException(record.exc_info) if record.exc_info else None)
        message = on_one_line(str(fields.pop("message", "")), LONGEST_MESSAGE)
        record.message = " ".join([message, *(_field(name, value) for name, value in bounded(fields).items())])
        record.asctime = self.formatTime(record)
        line = self.formatMessage(record)
        return f"{line}\n{on_lines_of_their_own(traceback)}" if traceback else line


def _field(name: object, value: object) -> str:
    return f"{on_one_line(str(name), LONGEST_FIELD)}={as_json(value)}"


class _JsonFormatter(BaseJsonFormatter):
    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return bounded(log_data)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        return as_json(log_data)


def _json_formatter() -> logging.Formatter:
    formatter = _JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(process)d %(message)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "process": "pid"},
        reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn's own, for terminals
    )
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.default_msec_format = "%s.%03dZ"
    formatter.converter = time.gmtime
    return formatter


def _log_warning(  # noqa: PLR0917  the signature of warnings.showwarning
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    logger.warning({"message": str(message), "category": category.__name__, "place": f"{filename}:{lineno}"})


def _log_uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if error is not None and not issubclass(kind, SystemExit | KeyboardInterrupt):
        logger.error("an exception was not caught", exc_info=(kind, error, traceback))
