"""Load and restarts on a real service; counts the requests that were offered, accepted, refused and failed.

::

    python -m bench.reliability overload --seconds 60
    python -m bench.reliability rolling --requests 100000
    python -m bench.reliability soak --seconds 1800
    python -m bench.reliability replace
    python -m bench.reliability hasty --requests 20000
    python -m bench.reliability stops
    python -m bench.reliability fuzz --seconds 1800
    python -m bench.reliability batches --seconds 240

Each prints one JSON line. A request *fails* when it gets no answer, a wrong answer, or a status that is neither 200 nor
an announced refusal (503).
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from bench.reliability.batches import batches
from bench.reliability.fuzz import fuzz
from bench.reliability.hasty import hasty
from bench.reliability.overload import overload
from bench.reliability.restarts import replace, rolling
from bench.reliability.soak import soak
from bench.reliability.stops import stops

_REPLACEMENTS = 5


def main() -> int:
    """Runs one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("overload", "rolling", "soak", "replace", "hasty", "stops", "fuzz", "batches"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        if options.what == "rolling":
            result = asyncio.run(rolling(log, options.requests, options.clients))
        elif options.what == "hasty":
            result = asyncio.run(hasty(log, options.requests))
        elif options.what == "fuzz":
            result = asyncio.run(fuzz(log, options.seconds, options.clients, options.seed))
        elif options.what == "stops":
            result = stops(log)
        elif options.what == "replace":
            result = asyncio.run(replace(log, _REPLACEMENTS))
        else:
            measure = {"overload": overload, "soak": soak, "batches": batches}[options.what]
            result = asyncio.run(measure(log, options.seconds, options.clients))
    print(json.dumps({"measurement": options.what, **result}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
