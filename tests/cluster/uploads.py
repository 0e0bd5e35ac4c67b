"""Clients of a cluster: uploads pictures to all hosts, and counts the outcomes. Run on the hub.

A client keeps a connection to one host. If the host accepts no more connections, the client uses the next host, as a
load balancer does, and no request is lost. A request that was sent and got no answer or not status 200 has failed.
"""

import argparse
import base64
import http.client
import itertools
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_TIMEOUT_S = 30.0
_STEP = 500
_CLOSE = 1e-6


class Uploads:
    """A number of uploads, by several clients at once.

    Args:
        hosts: addresses with ports.
        pictures: names and files, with the right answers.
        total: the number of uploads.
    """

    def __init__(self, hosts: Sequence[str], pictures: Sequence[dict[str, Any]], total: int) -> None:
        self._hosts = hosts
        self._pictures = [(base64.b64decode(entry["file"]), entry["prediction"]) for entry in pictures]
        self._total = total
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self.outcomes: Counter[str] = Counter()

    def run(self, clients: int) -> None:
        """Uploads all, and prints progress."""
        threads = [threading.Thread(target=self._upload, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _upload(self, client: int) -> None:
        hosts = itertools.cycle(self._hosts[client % len(self._hosts) :] + self._hosts[: client % len(self._hosts)])
        connection = self._connect(hosts)
        while (number := next(self._numbers)) < self._total:
            body, expected = self._pictures[number % len(self._pictures)]
            try:
                connection.request("POST", "/predict", body, {"Content-Type": "image/png"})
                answer = connection.getresponse()
                text = answer.read()
                outcome = self._judge(answer.status, text, expected)
            except (OSError, http.client.HTTPException) as error:
                outcome = f"no answer: {type(error).__name__}"
                connection.close()
                connection = self._connect(hosts)
            with self._lock:
                self.outcomes[outcome] += 1
                if self.outcomes.total() % _STEP == 0:
                    print(self.outcomes.total(), flush=True)
        connection.close()

    def _connect(self, hosts: "itertools.cycle[str]") -> http.client.HTTPConnection:
        end = time.monotonic() + _TIMEOUT_S
        while True:
            connection = http.client.HTTPConnection(next(hosts), timeout=_TIMEOUT_S)
            try:
                connection.connect()
            except OSError:
                if time.monotonic() > end:
                    raise
                continue
            return connection

    @staticmethod
    def _judge(status: int, text: bytes, expected: dict[str, Any]) -> str:
        if status != 200:
            return f"status {status}: {text[:60].decode('utf-8', 'replace')}"
        [got] = json.loads(text)["predictions"]
        pairs = zip(got["probabilities"].values(), expected["probabilities"].values(), strict=True)
        is_right = got["label"] == expected["label"] and all(abs(one - other) <= _CLOSE for one, other in pairs)
        return "right" if is_right else "wrong"


def main(arguments: Sequence[str]) -> None:
    """Uploads, and prints the number of each outcome as JSON in the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--hosts", nargs="+", required=True)
    parser.add_argument("--total", type=int, required=True)
    parser.add_argument("--clients", type=int, default=12)
    options = parser.parse_args(arguments)
    uploads = Uploads(options.hosts, json.loads(options.pictures.read_text()), options.total)
    started = time.monotonic()
    uploads.run(options.clients)
    print(json.dumps({"seconds": round(time.monotonic() - started, 1), "outcomes": uploads.outcomes}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
