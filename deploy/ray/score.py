"""``convoy score`` on all machines of a Ray cluster: the same options, columns, errors and answers.

::

    python -m deploy.ray.score photos/ --model cifar10 --out predictions.parquet

    paths of pictures ─> rows of 512 ─> Ray Data: map_batches(Scorer), one per core or GPU: read, decode, run
                                              └─> in the order of the input ─> parts ─> the table, on this machine

The rows hold the paths of pictures and not their content. Ray's ``read_images`` and ``read_binary_files`` are not used,
since they end the whole run at the first file that cannot be read, and the first decodes differently. So each machine
must have the pictures and the model repository under the same paths, on a shared disk.

If a machine fails, Ray Data gives its rows to another one, and only time is lost. If this process or its machine fails,
``--resume`` continues after the last whole part.
"""

import argparse
import logging
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast, get_args

import numpy as np
import ray
import ray.data

from service.errors import ScoringError
from service.inference import choose_provider
from service.inference.providers import ProviderChoice
from service.scoring.command import main as score
from service.scoring.pictures import Picture, SentPicture
from service.scoring.pool import Pool, WorkerPool
from service.scoring.worker import ChunkResult, WorkerSpec, score_chunk

_ROW_PICTURES: Final = 512
_ROWS: Final = 512  # of one execution of Ray Data, which holds the paths of all its rows in memory


class Scorer:
    """Scores rows of pictures; the cluster has one of these actors per core or share of a GPU.

    The actor scores in a child process, like a worker of ``convoy score``: if a picture ends the child, the actor
    reports the picture and continues.

    Args:
        spec: the model.
        choice: of the execution provider, which is looked for on the actor's machine.
        classes: the number of classes, K.
        folder: the folder that relative paths refer to.
    """

    def __init__(self, spec: WorkerSpec, choice: ProviderChoice, classes: int, folder: str) -> None:
        os.chdir(folder)
        self._classes = classes
        self._pool = WorkerPool(partial(score_chunk, replace(spec, provider=choose_provider(choice))), 1, classes)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Turns rows of ``pictures`` into rows of ``result``."""
        return {"result": np.array([self._score(row) for row in batch["pictures"]], object)}

    def _score(self, row: bytes) -> bytes:
        results = list(self._pool.results(iter(pickle.loads(row))))  # noqa: S301  made by this run
        whole = ChunkResult(
            [name for result in results for name in result.order],
            [name for result in results for name in result.names],
            np.concatenate([np.empty((0, self._classes), np.float32), *(result.probabilities for result in results)]),
            [fault for result in results for fault in result.faults],
            sum(result.seconds for result in results),
        )
        return pickle.dumps(whole)


class RayPool:
    """The actors of a cluster, used instead of processes on this machine.

    Args:
        spec: the model.
        choice: of the execution provider.
        workers: the number of actors.
        classes: the number of classes, K.
        address: of the cluster.
        gpus: GPUs of each actor; actors with a fraction share a GPU.
    """

    def __init__(
        self, spec: WorkerSpec, choice: ProviderChoice, workers: int, classes: int, *, address: str, gpus: float
    ) -> None:
        self._scorer = (spec, choice, classes, str(Path.cwd()))
        self._workers = workers
        self._address = address
        self._gpus = gpus

    def __enter__(self) -> Self:
        _connect(self._address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray.shutdown()

    def results(self, pictures: Iterator[Picture]) -> Iterator[ChunkResult]:
        """Scores pictures.

        Yields:
            The results of 512 pictures each, in the order of the pictures.

        Raises:
            ScoringError: the cluster could not score them.
        """
        rows = _rows(pictures)
        while some := list(islice(rows, _ROWS)):
            try:
                yield from self._run(some)
            except ray.exceptions.RayError as error:
                told = str(error).strip().splitlines()[-1:]
                raise ScoringError(f"the Ray cluster could not score them: {' '.join(told)}") from error

    def _run(self, rows: list[bytes]) -> Iterator[ChunkResult]:
        data = ray.data.from_items([{"pictures": row} for row in rows], override_num_blocks=len(rows)).map_batches(
            Scorer,
            batch_size=1,
            fn_constructor_args=self._scorer,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=self._workers),
            num_cpus=1,
            num_gpus=self._gpus,
        )
        yield from (pickle.loads(row["result"]) for row in data.iter_rows())  # noqa: S301  likewise


def _rows(pictures: Iterator[Picture]) -> Iterator[bytes]:
    while some := list(islice(pictures, _ROW_PICTURES)):
        if any(isinstance(picture, SentPicture) for picture in some):
            raise ScoringError(
                "a compressed tar can only be read from its beginning, by one machine: unpack it, or make a .tar"
            )
        yield pickle.dumps(some)


def main(arguments: Sequence[str]) -> int:
    """Runs the command.

    Args:
        arguments: those of ``convoy score``, and ``--address`` and ``--gpus``.

    Returns:
        The exit status of ``convoy score``.
    """
    parser = argparse.ArgumentParser(prog="deploy.ray.score", add_help=False, allow_abbrev=False)
    parser.add_argument("--address", default="auto")
    parser.add_argument("--gpus", type=float, default=0.0)
    parser.add_argument("--execution-provider", choices=get_args(ProviderChoice), default="auto")
    options, rest = parser.parse_known_args(arguments)
    if {"-h", "--help"} & set(rest):
        print("--address ADDRESS  of the Ray cluster (default: the one of this machine)")
        print("--gpus SHARE       of a GPU for each worker, such as 0.5 (default: none)\n")
    # The machine that starts the run may have no GPU, so it opens the model on its CPU, only to read its metadata.
    choice = cast("ProviderChoice", options.execution_provider)
    if options.gpus and choice == "auto":
        choice = "cuda"

    def start(spec: WorkerSpec, workers: int, classes: int) -> Pool:
        return RayPool(spec, choice, workers, classes, address=options.address, gpus=options.gpus)

    def count_workers() -> int:
        _connect(options.address)
        resources = ray.cluster_resources()
        return max(1, int(resources.get("GPU", 0) / options.gpus if options.gpus else resources.get("CPU", 1)))

    return score([*rest, "--execution-provider=cpu"], start, count_workers)


def _connect(address: str) -> None:
    if ray.is_initialized():
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ScoringError(f"--address {address}: no Ray cluster answers there: start one with `ray start`") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.exit(main(sys.argv[1:]))
