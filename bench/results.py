"""The measurements as they are stored on disk, and figures computed from them: medians, and ratios within a round."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One line of the comparison.

    Attributes:
        workload: its name.
        concurrency: requests at once.
        workers: processes; two or more run on all cores, which they share with the load.
    """

    workload: str
    concurrency: int
    workers: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement: one server under one load in one round.

    Attributes:
        round: number of the round, from 1.
        server: its name.
        setting: the server's setting.
        workload: its name.
        concurrency: requests at once.
        workers: the configured number of processes of the server.
        requests_per_s: answered requests per second.
        images_per_s: answered images per second.
        p50_ms: median latency.
        p99_ms: 99th percentile of the latency.
        cpu_us: CPU time of all processes of the server per request, in microseconds.
        non_2xx: answers that were errors.
        socket_errors: connections that failed.
        load_core_share: share of a core that the load generator used.
    """

    round: int
    server: str
    setting: str
    workload: str
    concurrency: int
    workers: int
    requests_per_s: float
    images_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    non_2xx: int
    socket_errors: int
    load_core_share: float

    @property
    def row(self) -> Row:
        """The line of the comparison that it belongs to."""
        return Row(self.workload, self.concurrency, self.workers)


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a server.

    Attributes:
        round: number of the round, from 1.
        server: its name.
        setting: the server's setting.
        ready_s: seconds from the start of the process to the first good answer.
        rss_mib: resident memory of all its processes, after the load.
        pss_mib: the same, with shared pages counted once.
        processes: the number of its processes.
    """

    round: int
    server: str
    setting: str
    ready_s: float
    rss_mib: float
    pss_mib: float
    processes: int


@dataclass(slots=True)
class Results:
    """Everything of one run.

    Attributes:
        about: command, date, commit, machine, versions, settings.
        left_out: servers and workloads that could not be measured, with the reason.
        cells: every measurement.
        starts: every start.
        in_process: the figures of :mod:`bench.in_process`, one dictionary per round.
    """

    about: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    in_process: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Reads a file that :meth:`write` wrote."""
        document = json.loads(path.read_text())
        return cls(
            document["about"],
            document["left_out"],
            [Cell(**cell) for cell in document["cells"]],
            [Start(**start) for start in document["starts"]],
            document["in_process"],
        )

    def write(self, path: Path) -> None:
        """Writes everything as JSON, one measurement per line."""
        document = asdict(self)
        lists = {name: document.pop(name) for name in ("cells", "starts", "in_process")}
        text = json.dumps(document, indent=2)[:-2]
        for name, items in lists.items():
            lines = ",\n".join(f"    {json.dumps(item)}" for item in items)
            text += f',\n  "{name}": [\n{lines}\n  ]'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n}\n")

    @property
    def rounds(self) -> int:
        """The number of rounds."""
        return max((cell.round for cell in self.cells), default=0)

    def rows(self) -> list[Row]:
        """The lines of the comparison, in the order measured."""
        return list(dict.fromkeys(cell.row for cell in self.cells))

    def settings(self, row: Row) -> list[tuple[str, str]]:
        """(server, setting) of all that were measured in a row."""
        return list(dict.fromkeys((cell.server, cell.setting) for cell in self.cells if cell.row == row))

    def figure(self, row: Row, key: tuple[str, str], of: Callable[[Cell], float]) -> float | None:
        """The median over the rounds of one figure of a server and setting."""
        values = [of(cell) for cell in self.cells_of(row, key)]
        return median(values) if values else None

    def ratios(
        self, over: tuple[Row, tuple[str, str]], under: tuple[Row, tuple[str, str]], of: Callable[[Cell], float]
    ) -> list[float]:
        """The ratio of two cells within each round that has both."""
        below = {cell.round: of(cell) for cell in self.cells_of(*under)}
        return [of(cell) / below[cell.round] for cell in self.cells_of(*over) if below.get(cell.round)]

    def cells_of(self, row: Row, key: tuple[str, str]) -> list[Cell]:
        """The measurements of a server and setting in a row, one per round."""
        return [cell for cell in self.cells if cell.row == row and (cell.server, cell.setting) == key]
