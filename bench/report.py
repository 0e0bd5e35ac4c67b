"""Writes the page of a run: the targets, the comparison of the servers, and how it was measured.

The page is a summary. Every measurement of every round and setting is in the JSON beside it.
"""

from pathlib import Path
from statistics import median
from typing import Final

from bench.charts import draw_charts
from bench.grid import grid
from bench.peers.catalog import PEERS
from bench.results import Results, Row
from bench.servers import CONVOY
from bench.targets import best_setting, ours, rate, verdicts
from bench.verdict import table

_HEADS: Final = {
    "png": "PNG",
    "multipart": "form",
    "mnist": "MNIST",
    "jpeg": "JPEG",
    "bulk": "bulk",
    "oip": "bulk, v2",
}
_METHOD = """\
In each round every server is started on one core, its answers to every body are compared with ONNX Runtime's own, and
then wrk loads it from another core, {seconds:g} s a measurement. Rows with two workers run unpinned, beside the load.
Ratios are taken within each round; a figure is the median of the rounds, and in brackets stands the interval that
holds the true median with 90 % confidence. **A target is met where the whole interval is on the right side of it,
missed where it is on the wrong side, and undecided otherwise.** Peers decode with Pillow, as their users do; with
`quick decoder` they have Convoy's decoders, which they do not come with. Convoy runs with its defaults and all that
they switch on, the peers with logs and metrics off where that can be.
"""


def write_report(results: Results, path: Path) -> None:
    """Writes the page and its charts beside the results.

    Args:
        results: of a run.
        path: of the results; the page has the same name with another suffix.
    """
    charts = draw_charts(results, path.with_suffix(""))
    blocks = [_head(results, path), table(verdicts(results))]
    blocks += [f"![{chart.stem}]({chart.name})" for chart in charts]
    blocks += [_comparison(results), _in_process(results), _starts(results), _left_out(results), _method(results)]
    path.with_suffix(".md").write_text("\n\n".join(block.strip() for block in blocks if block) + "\n")


def _head(results: Results, path: Path) -> str:
    about, machine = results.about, results.about["machine"]
    virtual = "virtual machine, " if machine["hypervisor"] else ""
    runs = "; ".join(
        f"`{run['command']}` at {run['commit']}{' (compiled)' if run.get('compiled') else ''}, {run['date']}"
        for run in about["runs"]
    )
    return (
        f"# {'Convoy beside its peers' if _has_peers(results) else 'Convoy, measured'}\n\n"
        f"{results.rounds} rounds: {runs}. {virtual}{machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB; {machine['system']}; Python {machine['python']}; {about['load_generator']}. "
        f"[{path.name}]({path.name}) has every measurement, and the versions of all packages."
    )


def _has_peers(results: Results) -> bool:
    return any(peer.name in results.about["versions"] for peer in PEERS)


def _comparison(results: Results) -> str:
    """Images per second of Convoy, and their ratio to those of each peer at its best setting."""
    rows = [row for row in results.rows() if results.cells_of(*ours(row))]
    lines = [(f"**{CONVOY}**, images/s", *(f"{results.figure(*ours(row), rate) or 0:,.0f}" for row in rows))]
    for name in (peer.name for peer in PEERS):
        ratios = [_times(results, row, name, helped=False) for row in rows]
        if any(ratios):
            lines.append((name, *ratios))
        ratios = [_times(results, row, name, helped=True) for row in rows]
        if any(ratios):
            lines.append((f"{name}, quick decoder", *ratios))
    p99 = (f"{results.figure(*ours(row), lambda cell: cell.p99_ms) or 0:.1f}" for row in rows)
    cpu = (f"{results.figure(*ours(row), lambda cell: cell.cpu_us) or 0:,.0f}" for row in rows)
    lines += [("p99, ms", *p99), ("CPU time of a request, us", *cpu)]
    text = (
        "Each at its best setting in that row: Convoy is so many times as fast. The number is the concurrency."
        if _has_peers(results)
        else "The number is the concurrency."
    )
    return f"## Images a second\n\n{text}\n\n" + grid(("", *map(_title, rows)), lines)


def _title(row: Row) -> str:
    return f"{_HEADS.get(row.workload, row.workload)} {row.concurrency}" + (
        f" x{row.workers}" if row.workers > 1 else ""
    )


def _times(results: Results, row: Row, server: str, *, helped: bool) -> str:
    key = best_setting(results, row, server, helped=helped)
    ratios = results.ratios(ours(row), (row, key), rate) if key else []
    return f"{median(ratios):.2f}" if ratios else ""


def _in_process(results: Results) -> str:
    names = [name for name in results.in_process[0] if name != "round"]
    figures = [
        f"{name.removesuffix('_us').replace('_', ' ')} {median(run[name] for run in results.in_process):.1f}"
        for name in names
    ]
    return "## Without a server\n\nOne process, one thread, microseconds an image: " + ", ".join(figures) + "."


def _starts(results: Results) -> str:
    keys = dict.fromkeys((start.server, start.setting) for start in results.starts)
    rows = []
    for name in dict.fromkeys(server for server, _ in keys):
        of = [start for start in results.starts if start.server == name]
        of = [start for start in of if start.setting == of[0].setting]
        figures = (
            f"{median(start.ready_s for start in of):.2f}",
            f"{median(start.rss_mib for start in of):,.0f}",
            f"{median(start.processes for start in of):.0f}",
        )
        rows.append((name, *figures))
    text = (
        "From the start of the process to the first right answer, with modules in bytecode, as after a first start; "
        "memory of all processes after the load."
    )
    return f"## Start and memory\n\n{text}\n\n" + grid(("server", "ready s", "RSS MiB", "processes"), rows)


def _left_out(results: Results) -> str:
    if not results.left_out:
        return ""
    lines = [f"- {name}: {' '.join(reason.split())[:120]}" for name, reason in results.left_out.items()]
    return "## Left out\n\n" + "\n".join(lines)


def _method(results: Results) -> str:
    return "## How it was measured\n\n" + _METHOD.format(seconds=results.about["seconds"])
