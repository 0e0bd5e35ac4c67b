"""The main function of a worker process."""

import asyncio
import logging
import os
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from service.errors import ConvoyError, SettingError
from service.http.listener import listen
from service.settings import Settings
from service.telemetry.logs import configure_logs
from service.workers.garbage import no_collection
from service.workers.metrics_folder import MetricsFolder
from service.workers.stop_signals import StopSignals, end

logger = logging.getLogger(__name__)


def run_worker(
    settings: Settings,
    slot: int,
    news: Connection,
    life: Connection,
    metrics_folder: Path | None,
    *,
    sign_interval_s: float,
) -> NoReturn:
    """Serves until the process is told to stop, or its parent has ended.

    Args:
        settings: of the service, with the port that the parent has bound.
        slot: number of this worker.
        news: pipe for the signs of life to the parent; the first one says that this worker is ready.
        life: pipe that is closed when the parent ends.
        metrics_folder: folder of the shared metrics; None where each worker has its own.
        sign_interval_s: how often the event loop gives a sign of life.
    """
    signals = StopSignals()
    configure_logs(settings.log_level, settings.log_format)
    folder = _join(metrics_folder)
    if folder is not None:
        signals.before_end = folder.leave

    def end_with_parent() -> None:
        with suppress(EOFError, OSError):
            life.recv()
        os.kill(os.getpid(), signal.SIGTERM)

    def give_sign() -> None:
        with suppress(OSError):  # the parent has ended, and this process will end too; or it is stopped
            news.send_bytes(b".")
        asyncio.get_running_loop().call_later(sign_interval_s, give_sign)

    os.set_blocking(news.fileno(), False)  # a stopped parent does not stop this process
    threading.Thread(target=end_with_parent, name="parent-watch", daemon=True).start()
    status = 0
    try:
        with no_collection():
            from service.http.server import serve  # noqa: PLC0415  the parent does not need these modules
        try:
            listener = listen(settings.host, settings.port, shared=True)
        except OSError as error:
            raise SettingError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None
        serve(settings, listener, give_sign, signals, worker_slot=slot)
    except ConvoyError as error:
        logger.error("cannot start: %s", error)  # noqa: TRY400  the message says all
        status = 1
    except SystemExit as error:  # uvicorn's, where the start failed
        status = error.code if isinstance(error.code, int) else 1
    except Exception:  # multiprocessing would print it instead
        logger.exception("the worker failed")
        status = 1
    if folder is not None:
        folder.leave()
    end(status)


def _join(metrics_folder: Path | None) -> MetricsFolder | None:
    if metrics_folder is None:
        return None
    try:
        folder = MetricsFolder(metrics_folder)
    except OSError as error:
        logger.warning("%s is not there (%s): /metrics shows this worker alone", metrics_folder, error.strerror)
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)  # the parent's; prometheus-client would write there
        return None
    from service.workers.shared_values import share_values  # noqa: PLC0415  as above; it reads that variable

    share_values(metrics_folder)
    return folder
