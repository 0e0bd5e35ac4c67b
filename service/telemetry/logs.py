"""Where log lines go and how they look: one JSON object a line for machines, ``key=value`` for people.

An event with fields is logged as a dictionary: ``logger.info({"message": "request", "status": 200})``.
"""

import logging
import sys
import time

import orjson
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.orjson import OrjsonFormatter

from service.settings import LogFormat


def configure_logs(level: str, log_format: LogFormat) -> None:
    """Sets up logging for this process, to standard error.

    Args:
        level: least severe line that is written.
        log_format: of a line; ``auto`` is text on a terminal and JSON elsewhere.
    """
    is_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(_json_formatter() if is_json else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class TextFormatter(logging.Formatter):
    """For people: time, level, logger, message, and an event's fields as ``key=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and below it the traceback where there is one; an event has it as the text ``exc_info``."""
        line = super().format(record)
        text = record.msg.get("exc_info") if isinstance(record.msg, dict) else None
        return f"{line}\n{text}" if text else line

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """One line, whatever a field holds: values are written as JSON, which has no line breaks."""
        if isinstance(record.msg, dict):
            fields = [
                f"{key}={orjson.dumps(value, default=str).decode()}"
                for key, value in record.msg.items()
                if key not in ("message", "exc_info")
            ]
            record.message = " ".join([str(record.msg.get("message", "")), *fields])
        return super().formatMessage(record)


def _json_formatter() -> logging.Formatter:
    formatter = OrjsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(process)d %(message)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "process": "pid"},
        reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn's own, for terminals
    )
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.default_msec_format = "%s.%03dZ"
    formatter.converter = time.gmtime
    return formatter
