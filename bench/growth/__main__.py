"""``python -m bench.growth [--rounds N] [--seconds S]``: measures, writes the report and draws the curves."""

import argparse
import json
import os
from dataclasses import asdict
from typing import Any

from bench.folders import FIGURES, REPORTS
from bench.growth import measurements
from bench.growth.curves import draw_growth
from bench.load import require_wrk
from bench.machine import commit, describe_machine

REPORT, FIGURE = REPORTS / "growth.json", FIGURES / "growth.png"


def main() -> None:
    """Measures on the first two cores, the service on one and the load on the other."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description="How the service grows.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    options = parser.parse_args()
    require_wrk()
    cores = sorted(os.sched_getaffinity(0))[:2]
    rounds, seconds = options.rounds, options.seconds
    found: dict[str, Any] = {}
    found["cores"] = measurements.grow_cores(rounds, seconds, cores)
    found["connections"] = measurements.grow_connections(rounds, seconds, *cores)
    found["models"] = measurements.grow_models(rounds, seconds, *cores)
    found["load"] = measurements.grow_load(rounds, seconds, *cores)
    found |= {"machine": asdict(describe_machine()), "commit": commit(), "rounds": rounds, "seconds": seconds}
    REPORT.write_text(json.dumps(found, indent=1) + "\n")
    draw_growth(found, FIGURE)
    for kind in ("load", "connections", "models", "cores"):
        print(kind)
        for point in found[kind]:
            print("   " + "  ".join(f"{name} {value:g}" for name, value in point.items() if name != "spread"))


if __name__ == "__main__":
    main()
