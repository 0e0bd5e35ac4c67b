"""A run as a page for people: targets, tables, every round, and how it was measured."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from bench.charts import draw_charts
from bench.peers.catalog import PEERS
from bench.results import Cell, Results, Row
from bench.servers import CONVOY, EMPTY
from bench.targets import describe, is_helped, ours, verdicts

_TITLES = {
    "png": "One 32x32 PNG per request, raw body",
    "multipart": "The same as multipart/form-data",
    "mnist": "One 28x28 PNG per request, MNIST",
    "jpeg": "One 640x480 JPEG per request",
    "bulk": "256 images of pixels per request, npy in and out (images/s)",
    "oip": "256 images of pixels per request, Open Inference binary (images/s)",
}
_NUMBER = re.compile(r"[\d,.]* *$")
_METHOD = """\
- Every server of a round is started on one core (`taskset`), its answers to every body are compared with ONNX
  Runtime's own, and then wrk loads it from another core: {seconds:g} s a measurement, after 1 s that is not counted.
  Rows with two workers run unpinned, beside the load, on all cores.
- Figures are medians over the rounds; ratios are taken within each round, and are medians too. The order of the servers
  turns from round to round.
- CPU time is user and system time of all processes of the server, divided by the requests answered. It depends
  least on what else the machine was doing.
- The sample pictures are sent in turn. The JPEGs are CIFAR-10 pictures scaled up to 640x480 with a Lanczos filter, with
  Gaussian noise of 4 (of 255), at quality 90.
- Peers decode with Pillow, as their users do; `quick decoder` is a setting in which they have the decoder that Convoy
  uses where it is installed. It is shown, and is not among the settings that the targets are measured against.
- Convoy runs with its defaults and all that they switch on; the peers with logs and metrics off where that can be.
"""


def write_report(results: Results, path: Path) -> None:
    """Writes the page and its charts beside the results.

    Args:
        results: of a run.
        path: of the results; the page gets its name.
    """
    charts = draw_charts(results, path.with_suffix(""))
    blocks = [_head(results), _targets(results)]
    blocks += [f"![{chart.stem}]({chart.name})" for chart in charts]
    blocks += [_table(results, row) for row in results.rows()]
    blocks += [_in_process(results), _starts(results), _left_out(results), _method(results), _rounds(results)]
    path.with_suffix(".md").write_text("\n\n".join(block.strip() for block in blocks if block) + "\n")


def _head(results: Results) -> str:
    about, machine = results.about, results.about["machine"]
    virtual = "virtual machine, " if machine["hypervisor"] else ""
    lines = [
        "# Convoy beside its peers" if any(peer.name in about["versions"] for peer in PEERS) else "# Convoy, measured",
        (
            f"{virtual}{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; {machine['system']}; "
            f"Python {machine['python']}. Load: {about['load_generator']}; server on core {about['server_core']}. "
            f"{about['seconds']:g} s a measurement; the tables say how many rounds each server was in."
        ),
        _grid(
            ("date", "commit", "command"),
            [(run["date"], run["commit"], f"`{run['command']}`") for run in about["runs"]],
        ),
    ]
    return "\n\n".join(lines)


def _targets(results: Results) -> str:
    rows = [
        (verdict.what, verdict.against, verdict.to_reach, verdict.reached, "yes" if verdict.met else "**no**")
        for verdict in verdicts(results)
    ]
    return "## Targets\n\n" + _grid(("what", "against", "to reach", "reached", "met"), rows)


def _table(results: Results, row: Row) -> str:
    def order(key: tuple[str, str]) -> float:
        return -(results.figure(row, key, lambda cell: cell.images_per_s) or 0)

    lines = []
    for key in sorted(results.settings(row), key=order):
        ratio = results.ratio(ours(row), (row, key), lambda cell: cell.images_per_s)
        errors = sum(cell.non_2xx + cell.socket_errors for cell in results.cells_of(row, key))
        lines.append(
            (
                f"**{key[0]}**" if key[0] == CONVOY else f"*{key[0]}*" if key[0] == EMPTY or is_helped(key) else key[0],
                key[1],
                _number(results, row, key, lambda cell: cell.images_per_s, ",.0f"),
                "" if ratio is None or key[0] == CONVOY else f"{ratio:.2f}",
                _number(results, row, key, lambda cell: cell.p50_ms, ".2f"),
                _number(results, row, key, lambda cell: cell.p99_ms, ".2f"),
                _number(results, row, key, lambda cell: cell.cpu_us, ",.0f"),
                _number(results, row, key, lambda cell: cell.load_core_share * 100, ".0f"),
                str(errors),
                str(len(results.cells_of(row, key))),
            )
        )
    unit = "images/s" if row.workload in ("bulk", "oip") else "requests/s"
    names = (
        "server",
        "setting",
        unit,
        "Convoy is",
        "p50 ms",
        "p99 ms",
        "CPU us/request",
        "load core %",
        "errors",
        "rounds",
    )
    title = _TITLES[row.workload] + describe(row).removeprefix(row.workload)
    return f"## {title}\n\n" + _grid(names, lines)


def _in_process(results: Results) -> str:
    names = [name for name in results.in_process[0] if name != "round"]
    rows = [
        (name.removesuffix("_us").replace("_", " "), f"{median(run[name] for run in results.in_process):.1f}")
        for name in names
    ]
    return "## Without a server\n\nOne process, one thread: microseconds an image.\n\n" + _grid(("work", "us"), rows)


def _starts(results: Results) -> str:
    keys = dict.fromkeys((start.server, start.setting) for start in results.starts)
    rows = []
    for key in keys:
        of = [start for start in results.starts if (start.server, start.setting) == key]
        figures = (
            f"{median(start.ready_s for start in of):.2f}",
            f"{median(start.rss_mib for start in of):,.0f}",
            f"{median(start.pss_mib for start in of):,.0f}",
            f"{median(start.processes for start in of):.0f}",
        )
        rows.append((*key, *figures))
    names = ("server", "setting", "ready s", "RSS MiB", "PSS MiB", "processes")
    text = "From the start of the process to the first right answer; memory after the load, of all processes."
    return f"## Start and memory\n\n{text}\n\n" + _grid(names, rows)


def _left_out(results: Results) -> str:
    if not results.left_out:
        return ""
    lines = [f"- {name}: {' '.join(reason.split())[:300]}" for name, reason in results.left_out.items()]
    return "## Left out\n\n" + "\n".join(lines)


def _method(results: Results) -> str:
    versions = [
        f"- {name}: " + ", ".join(f"{package} {version}" for package, version in packages.items())
        for name, packages in results.about["versions"].items()
    ]
    sought = [f"- {peer.name}: {peer.sought}" for peer in PEERS if peer.name in results.about["versions"]]
    text = "## How it was measured\n\n" + _METHOD.format(seconds=results.about["seconds"])
    text += "\n### Versions\n\n" + "\n".join(versions)
    return text + ("\n\n### How the peers' settings were sought\n\n" + "\n".join(sought) if sought else "")


def _rounds(results: Results) -> str:
    lines = []
    for row in results.rows():
        for key in results.settings(row):
            cells = results.cells_of(row, key)
            rates = " / ".join(f"{cell.images_per_s:,.0f}" for cell in cells)
            p99 = " / ".join(f"{cell.p99_ms:.2f}" for cell in cells)
            cpu = " / ".join(f"{cell.cpu_us:,.0f}" for cell in cells)
            lines.append((describe(row), ", ".join(key), rates, p99, cpu))
    return "## Every round\n\n" + _grid(("row", "server", "images/s", "p99 ms", "CPU us/request"), lines)


def _number(results: Results, row: Row, key: tuple[str, str], of: Callable[[Cell], float], form: str) -> str:
    value = results.figure(row, key, of)
    return "" if value is None else format(value, form)


def _grid(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns of numbers stand to the right."""

    def lines() -> Iterator[str]:
        yield f"| {' | '.join(names)} |"
        right = [
            any(row[place] for row in rows) and all(_NUMBER.match(row[place]) for row in rows)
            for place in range(len(names))
        ]
        yield f"|{'|'.join(' ---: ' if to_right else ' --- ' for to_right in right)}|"
        for row in rows:
            yield f"| {' | '.join(row)} |"

    return "\n".join(lines())
