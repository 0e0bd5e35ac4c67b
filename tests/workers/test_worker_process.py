"""The main function of a worker process, run as the supervisor runs it."""

import json
import subprocess
import sys

from tests.process import ROOT

FAILS = """
import multiprocessing
import service.http.server
from service.settings import Settings
from service.workers.worker_process import run_worker

def serve(*_, **__):
    raise RuntimeError("it fails on purpose")

service.http.server.serve = serve
context = multiprocessing.get_context("fork")
_, news = context.Pipe(duplex=False)
life, _kept = context.Pipe(duplex=False)
arguments = Settings(log_format="json", port=0), 0, news, life, None
worker = context.Process(target=run_worker, args=arguments, kwargs={"sign_interval_s": 1.0})
worker.start()
worker.join()
raise SystemExit(worker.exitcode)
"""


def test_an_unexpected_error_is_logged_before_the_process_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", FAILS], cwd=ROOT, check=False, capture_output=True, text=True)
    events = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == 1
    assert "it fails on purpose" in events[-1]["exc_info"]
