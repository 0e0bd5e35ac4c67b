"""One run of ``convoy score``, from the input to the table.

::

    begin: model, columns, existing parts ─> skip their pictures ─> pool ─> parts ─> join
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from contract import ModelMetadata
from service.errors import ScoringError
from service.scoring.accuracy import Confusion, Truth
from service.scoring.columns import Columns, Output
from service.scoring.formats import format_of, write_rows
from service.scoring.parts import NamesHash, PartRecord, Parts
from service.scoring.pictures import Picture, UnreadablePicture
from service.scoring.pool import Pool, WorkerPool
from service.scoring.sources import can_be_counted, find_pictures
from service.scoring.worker import ChunkResult, WorkerSpec, score_chunk

_PART_PICTURES: Final = 4096

StartPool = Callable[[WorkerSpec, int, int], Pool]
"""Makes the pool that scores the pictures, given the model, the number of workers, and K."""


def start_processes(spec: WorkerSpec, workers: int, classes: int) -> Pool:
    """Makes a pool of worker processes on this machine."""
    return WorkerPool(partial(score_chunk, spec), workers, classes)


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """The input, output and options of a run.

    Attributes:
        source: the input, see :mod:`service.scoring.sources`.
        column: the column of paths in a CSV file.
        out: the table.
        errors: list of the pictures that could not be scored.
        output: which columns.
        top_k: number of labels that are listed.
        labels_from_folders: whether the folder of a picture is its label.
        resume: whether to continue a run that was stopped.
        workers: number of processes.
    """

    source: str
    column: str | None
    out: Path
    errors: Path
    output: Output
    top_k: int
    labels_from_folders: bool
    resume: bool
    workers: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run.

    Attributes:
        scored: pictures in the table.
        faults: pictures in the list of errors.
        confusion: predictions by true label; None where labels are not known.
    """

    scored: int
    faults: int
    confusion: Confusion | None


class ScoreRun:
    """One run.

    Args:
        job: input, output and options.
        spec: the model, for the workers.
        metadata: of the model.
        digest: SHA-256 of the model's file, as hexadecimal digits.
        start_pool: makes the pool that scores the pictures.
    """

    def __init__(
        self,
        job: ScoreJob,
        spec: WorkerSpec,
        metadata: ModelMetadata,
        digest: str,
        start_pool: StartPool = start_processes,
    ) -> None:
        self._job = job
        self._start_pool = start_pool
        self._spec = spec
        self._labels = metadata.class_names
        self._columns = Columns(self._labels, job.output, job.top_k, multi_label=metadata.multi_label)
        self._truth = Truth(self._labels) if job.labels_from_folders else None
        if self._truth is not None and metadata.multi_label:
            raise ScoringError("--labels-from-folders needs a model that gives each picture one label")
        self._about = {
            "input": job.source,
            "column": job.column,
            "model": f"{spec.name} version {spec.version}",
            "model file": digest,
            "columns": f"{job.output}, top {job.top_k}",
            "labels from folders": job.labels_from_folders,
        }

    def count(self) -> int | None:
        """The number of pictures; None where the whole input would have to be read for it.

        Raises:
            ScoringError: the input cannot be read, or a picture's folder is not a label.
        """
        if not can_be_counted(self._job.source):
            return None
        total = 0
        for picture in find_pictures(self._job.source, self._job.column):
            total += 1
            if self._truth is not None and not isinstance(picture, UnreadablePicture):
                self._truth.index_of(picture.name)
        return total

    def run(self, told: Callable[[int], object]) -> Summary:
        """Scores all pictures.

        Args:
            told: called repeatedly with the number of finished pictures.

        Raises:
            ScoringError: the input cannot be read, or the table cannot be written.
        """
        job, table_format = self._job, format_of(self._job.out)
        with Parts(job.out, table_format, self._about, resume=job.resume) as parts:
            pictures = find_pictures(job.source, job.column)
            for number, record in enumerate(parts.finished):
                self._skip(pictures, number, record)
                told(record.pictures)
            with self._start_pool(self._spec, job.workers, len(self._labels)) as pool:
                for part in _gather(pool.results(pictures), told):
                    self._write(parts, part)
            if not parts.finished:
                self._write(parts, [])
            confusion = self._write_confusion(parts) if self._truth is not None else None
            parts.join(job.errors)
            return Summary(
                sum(record.scored for record in parts.finished),
                sum(record.faults for record in parts.finished),
                confusion,
            )

    def _write_confusion(self, parts: Parts) -> Confusion:
        confusion = Confusion(counts for record in parts.finished for counts in record.confusion)
        path = confusion_file(self._job.out)
        try:
            if confusion.total:
                write_rows(path, confusion.rows(self._labels))
        except OSError as error:
            raise ScoringError(f"{path}: {error.strerror}; what is finished is kept: go on with --resume") from error
        return confusion

    def _skip(self, pictures: Iterator[Picture], number: int, record: PartRecord) -> None:
        """Skips the pictures of a finished part, and checks that they are the same ones."""
        names = NamesHash()
        for picture in islice(pictures, record.pictures):
            names.add(picture.name)
        if names.value() != record.names:
            raise ScoringError(
                f"{self._job.source} is not what it was: part {number} was made from other pictures. "
                f"Remove {self._job.out}.parts to start again"
            )

    def _write(self, parts: Parts, chunks: list[ChunkResult]) -> None:
        names = [name for chunk in chunks for name in chunk.names]
        empty = np.empty((0, len(self._labels)), np.float32)
        probabilities = np.concatenate([empty, *(chunk.probabilities for chunk in chunks)])
        faults = [fault for chunk in chunks for fault in chunk.faults]
        confusion = [] if self._truth is None else self._truth.compare(names, probabilities)
        hashed = NamesHash()
        for chunk in chunks:
            for name in chunk.order:
                hashed.add(name)
        record = PartRecord(len(names), len(faults), hashed.value(), confusion)
        parts.write(self._columns.fill(names, probabilities), faults, record)


def confusion_file(out: Path) -> Path:
    """The file beside a table for its predictions by true label."""
    return out.with_suffix(".confusion.csv")


def _gather(results: Iterator[ChunkResult], told: Callable[[int], object]) -> Iterator[list[ChunkResult]]:
    """Collects chunks into parts."""
    part: list[ChunkResult] = []
    pictures = 0
    for result in results:
        part.append(result)
        pictures += len(result.order)
        told(len(result.order))
        if pictures >= _PART_PICTURES:
            yield part
            part, pictures = [], 0
    if part:
        yield part
