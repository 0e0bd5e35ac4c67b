"""What the service is to reach, and what it reached: the table of docs/benchmarks.md, worked out from the results."""

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from bench.peers.catalog import PEERS
from bench.results import Cell, Results, Row
from bench.servers import CONVOY

_HELPED = {(peer.name, setting.name) for peer in PEERS for setting in peer.settings if setting.same_decoder}
_DEFAULT = "default"
_OVER_BEST_PEER = {
    Row("png", 1, 1): 1.25,
    Row("png", 16, 1): 1.30,
    Row("png", 64, 1): 1.15,
    Row("bulk", 4, 1): 1.10,
    Row("jpeg", 16, 1): 1.10,
    Row("png", 64, 2): 1.30,
}
_MULTIPART_SHARE = 0.95
_BULK_SHARE = 0.92
_MNIST_SLACK = 1.05
_P50_MS, _ADDED_MS = 0.35, 0.20
_READY_S, _MEMORY_MIB = 1.0, 110.0


class Verdict(NamedTuple):
    """One target.

    Attributes:
        what: is measured.
        against: what.
        to_reach: in words.
        reached: in words.
        met: whether it was.
    """

    what: str
    against: str
    to_reach: str
    reached: str
    met: bool


def describe(row: Row) -> str:
    """A row in words."""
    text = f"{row.workload}, concurrency {row.concurrency}"
    return text if row.workers == 1 else f"{text}, {row.workers} workers on all cores"


def best_peer(results: Results, row: Row) -> tuple[str, str] | None:
    """The fastest peer in a row as its users have it: with its own decoder."""
    keys = [key for key in results.settings(row) if key[0] in {peer.name for peer in PEERS} and not is_helped(key)]
    return max(keys, key=lambda key: results.figure(row, key, _rate) or 0, default=None)


def is_helped(key: tuple[str, str]) -> bool:
    """Whether a server and setting have the service's quick decoder, which nobody ships with them."""
    return key in _HELPED


def ours(row: Row) -> tuple[Row, tuple[str, str]]:
    """The service in a row."""
    return row, (CONVOY, _DEFAULT if row.workers == 1 else f"--workers {row.workers}")


def verdicts(results: Results) -> Iterator[Verdict]:
    """Every target that these results can tell of."""
    yield from _against_peers(results)
    yield from _against_ourselves(results)
    yield from _against_the_machine(results)
    starts = [start for start in results.starts if (start.server, start.setting) == (CONVOY, _DEFAULT)]
    if starts:
        ready_s, rss = median(start.ready_s for start in starts), median(start.rss_mib for start in starts)
        pss = median(start.pss_mib for start in starts)
        yield Verdict("start to first answer", "", f"<= {_READY_S} s", f"{ready_s:.2f} s", ready_s <= _READY_S)
        yield Verdict(
            "memory of one worker, both models, after the load",
            "",
            f"<= {_MEMORY_MIB:.0f} MiB",
            f"{rss:.0f} MiB resident, {pss:.0f} MiB proportional",
            rss <= _MEMORY_MIB,
        )


def _against_peers(results: Results) -> Iterator[Verdict]:
    for row, wanted in _OVER_BEST_PEER.items():
        peer = best_peer(results, row)
        if peer is None or (ratio := results.ratio(ours(row), (row, peer), _rate)) is None:
            continue
        against = f"{peer[0]}, {peer[1]}"
        yield Verdict(describe(row), against, f">= {wanted:.2f} times", f"{ratio:.2f} times", ratio >= wanted)
        if row.workload == "png" and row.workers == 1:
            mine, theirs = results.figure(*ours(row), _p99), results.figure(row, peer, _p99)
            if mine is not None and theirs is not None:
                yield Verdict(
                    f"its p99, concurrency {row.concurrency}",
                    against,
                    f"<= {theirs:.2f} ms",
                    f"{mine:.2f} ms",
                    mine <= theirs,
                )


def _against_ourselves(results: Results) -> Iterator[Verdict]:
    for concurrency in (1, 16, 64):
        form, raw = Row("multipart", concurrency, 1), Row("png", concurrency, 1)
        if (ratio := results.ratio(ours(form), ours(raw), _rate)) is not None:
            reached = f"{ratio:.2f} times"
            wanted = f">= {_MULTIPART_SHARE} times"
            yield Verdict(describe(form), "the same as raw body", wanted, reached, ratio >= _MULTIPART_SHARE)
    overheads = {name: _overhead_us(results, name) for name in ("mnist", "png")}
    if (mnist := overheads["mnist"]) and (png := overheads["png"]):
        yield Verdict(
            "MNIST: CPU time beyond decode and run, concurrency 1",
            "CIFAR-10",
            f"<= {png * _MNIST_SLACK:.0f} us",
            f"{mnist:.0f} us",
            mnist <= png * _MNIST_SLACK,
        )


def _against_the_machine(results: Results) -> Iterator[Verdict]:
    limits = {int(run["round"]): _bulk_limit(run) for run in results.in_process}
    for name in ("bulk", "oip"):
        row = Row(name, 4, 1)
        cells = [cell for cell in results.cells if cell.row == row and cell.server == CONVOY]
        if cells:
            share = median(cell.images_per_s / limits[cell.round] for cell in cells)
            wanted, reached = f">= {_BULK_SHARE} times", f"{share:.2f} times"
            yield Verdict(describe(row), "ONNX Runtime alone, best batch", wanted, reached, share >= _BULK_SHARE)
    p50 = results.figure(*ours(Row("png", 1, 1)), lambda cell: cell.p50_ms)
    if p50 is not None:
        alone = median(run["cifar10_decode_us"] + run["cifar10_run_us"] for run in results.in_process) / 1e3
        yield Verdict("png, concurrency 1: p50", "", f"<= {_P50_MS} ms", f"{p50:.3f} ms", p50 <= _P50_MS)
        yield Verdict(
            "added by the service",
            f"decode and run in process, {alone:.3f} ms",
            f"<= {_ADDED_MS:.2f} ms",
            f"{p50 - alone:.3f} ms",
            p50 - alone <= _ADDED_MS,
        )


def _overhead_us(results: Results, workload: str) -> float | None:
    used = results.figure(*ours(Row(workload, 1, 1)), lambda cell: cell.cpu_us)
    model = "mnist" if workload == "mnist" else "cifar10"
    alone = median(run[f"{model}_decode_us"] + run[f"{model}_run_us"] for run in results.in_process)
    return None if used is None else used - alone


def _bulk_limit(run: dict[str, float]) -> float:
    """Images a second of ONNX Runtime alone, at its best batch size."""
    return 1e6 / min(value for name, value in run.items() if name.startswith("cifar10_run_"))


def _rate(cell: Cell) -> float:
    return cell.images_per_s


def _p99(cell: Cell) -> float:
    return cell.p99_ms
