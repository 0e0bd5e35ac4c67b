"""The performance targets of the service on a CPU, and their comparison with the measurements."""

from collections.abc import Iterator
from typing import Final

from bench.peers.catalog import PEERS
from bench.results import Cell, Results, Row
from bench.servers import CONVOY
from bench.verdict import Verdict

_NAMES: Final = {peer.name for peer in PEERS}
_HELPED: Final = {(peer.name, setting.name) for peer in PEERS for setting in peer.settings if setting.same_decoder}
_DEFAULT: Final = "default"
_OVER_BEST_PEER: Final = {
    Row("png", 1, 1): 1.25,
    Row("png", 16, 1): 1.30,
    Row("png", 64, 1): 1.15,
    Row("bulk", 4, 1): 1.05,
    Row("png", 64, 2): 1.30,
}
_OVER_BEST_HELPED: Final = {Row("png", 16, 1): 1.15, Row("png", 64, 1): 1.15, Row("jpeg", 16, 1): 1.10}
_MULTIPART_SHARE: Final = 0.95
_BULK_SHARE: Final = 0.95
_MNIST_SLACK: Final = 1.05
_P50_MS: Final = 0.35
_ADDED_CPU_US: Final = 40.0
_READY_S: Final = 0.8
_MEMORY_MIB: Final = 110.0


def describe(row: Row) -> str:
    """A row in words."""
    text = f"{row.workload}, concurrency {row.concurrency}"
    return text if row.workers == 1 else f"{text}, {row.workers} workers on all cores"


def best_setting(
    results: Results, row: Row, server: str | None = None, *, helped: bool = False
) -> tuple[str, str] | None:
    """The fastest setting in a row.

    Args:
        results: of a run.
        row: the line of the comparison.
        server: only settings of this server; None for all peers.
        helped: only settings with the service's decoders; False for only those without.
    """
    names = _NAMES if server is None else {server}
    keys = [key for key in results.settings(row) if key[0] in names and is_helped(key) == helped]
    return max(keys, key=lambda key: results.figure(row, key, rate) or 0, default=None)


def is_helped(key: tuple[str, str]) -> bool:
    """Whether a peer's setting has the service's quick decoder, which is not part of the peer."""
    return key in _HELPED


def ours(row: Row) -> tuple[Row, tuple[str, str]]:
    """The row, with the key (server, setting) of the service in it."""
    return row, (CONVOY, _DEFAULT if row.workers == 1 else f"--workers {row.workers}")


def rate(cell: Cell) -> float:
    """Images per second."""
    return cell.images_per_s


def verdicts(results: Results) -> list[Verdict]:
    """Every target that these results have measurements for."""
    found = [*_against_peers(results), *_against_ourselves(results), *_against_the_machine(results), *_alone(results)]
    return [verdict for verdict in found if verdict.values]


def _against_peers(results: Results) -> Iterator[Verdict]:
    for wanted, helped in ((_OVER_BEST_PEER, False), (_OVER_BEST_HELPED, True)):
        for row, least in wanted.items():
            peer = best_setting(results, row, helped=helped)
            if peer is None:
                continue
            against = ", ".join(peer)
            yield Verdict(describe(row), against, least, True, results.ratios(ours(row), (row, peer), rate), "times")
            if row.workload == "png" and row.workers == 1 and not helped:
                later = results.ratios(ours(row), (row, peer), lambda cell: cell.p99_ms)
                yield Verdict(f"its p99, concurrency {row.concurrency}", against, 1.0, False, later, "times")


def _against_ourselves(results: Results) -> Iterator[Verdict]:
    for concurrency in (1, 16, 64):
        form, raw = ours(Row("multipart", concurrency, 1)), ours(Row("png", concurrency, 1))
        share = results.ratios(form, raw, rate)
        yield Verdict(describe(form[0]), "the same as raw body", _MULTIPART_SHARE, True, share, "times")
    mnist, png = _added_us(results, Row("mnist", 1, 1)), _added_us(results, Row("png", 1, 1))
    more = [one / other for one, other in zip(mnist, png, strict=False)]
    yield Verdict("MNIST: CPU time beyond decode and run", "CIFAR-10", _MNIST_SLACK, False, more, "times")


def _against_the_machine(results: Results) -> Iterator[Verdict]:
    limits = {int(run["round"]): _bulk_limit(run) for run in results.in_process}
    for name in ("bulk", "oip"):
        row = Row(name, 4, 1)
        shares = [cell.images_per_s / limits[cell.round] for cell in results.cells_of(*ours(row))]
        yield Verdict(describe(row), "ONNX Runtime alone, best batch", _BULK_SHARE, True, shares, "times")


def _alone(results: Results) -> Iterator[Verdict]:
    p50 = [cell.p50_ms for cell in results.cells_of(*ours(Row("png", 1, 1)))]
    yield Verdict("png, concurrency 1: p50", "", _P50_MS, False, p50, "ms")
    for concurrency in (16, 64):
        added = _added_us(results, Row("png", concurrency, 1))
        what = f"CPU time that the service adds, concurrency {concurrency}"
        yield Verdict(what, "decode and run in process, best batch", _ADDED_CPU_US, False, added, "us")
    starts = [start for start in results.starts if (start.server, start.setting) == (CONVOY, _DEFAULT)]
    yield Verdict("start to first answer", "", _READY_S, False, [start.ready_s for start in starts], "s")
    memory = [start.rss_mib for start in starts]
    yield Verdict("memory of one worker after the load", "", _MEMORY_MIB, False, memory, "MiB")


def _added_us(results: Results, row: Row) -> list[float]:
    """CPU time of a request minus decoding and running in process, one value per round."""
    model = "mnist" if row.workload == "mnist" else "cifar10"
    alone = {}
    for run in results.in_process:
        runs = [value for name, value in run.items() if name.startswith(f"{model}_run_")]
        alone[int(run["round"])] = run[f"{model}_decode_us"] + (
            run[f"{model}_run_us"] if row.concurrency == 1 else min(runs)
        )
    return [cell.cpu_us - alone[cell.round] for cell in results.cells_of(*ours(row))]


def _bulk_limit(run: dict[str, float]) -> float:
    """Images per second of ONNX Runtime alone, at its best batch size."""
    return 1e6 / min(value for name, value in run.items() if name.startswith("cifar10_run_"))
