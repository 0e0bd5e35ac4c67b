"""The metrics of one served model: its requests, its runs and its queue."""

from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from contract import ModelMetadata
from service.telemetry.metrics.families import ModelFamilies
from service.telemetry.metrics.predictions import PredictionMetrics

_FOLD_AT_IMAGES: Final = 4096

PROBE: Final = "probe"
"""Origin of the pictures of an explanation, which are not counted as predictions."""


class Entry(Protocol):
    """The images of one request."""

    @property
    def origin(self) -> object:
        """Identifies the request."""
        ...


class Batch(Protocol):
    """The images of one run."""

    @property
    def size(self) -> int:
        """How many images."""
        ...

    @property
    def parts(self) -> Sequence[tuple[Entry, int, int]]:
        """Images ``start`` to ``stop`` of each entry."""
        ...


class Queue(Protocol):
    """The state of a model's queue, in images."""

    @property
    def waiting(self) -> int:
        """Images in the queue that no batch has taken yet."""
        ...

    @property
    def outstanding(self) -> int:
        """Images admitted and not yet answered."""
        ...

    @property
    def capacity(self) -> int:
        """Most images that may be outstanding."""
        ...


class ModelMetrics:
    """The metrics of one served model. Belongs to the event loop.

    Args:
        families: of all models.
        metadata: of this one.
        provider: the execution provider that it runs on.

    Attributes:
        probes: number of explanations in progress.
    """

    def __init__(self, families: ModelFamilies, metadata: ModelMetadata, provider: str) -> None:
        model = metadata.name, metadata.version
        self._infos = partial(families.info.labels, *model)
        self._info = self._infos(provider)
        self._provider = provider
        self._classified = families.classified.labels(*model)
        self._images = families.images.labels(*model)
        self._failed = families.failed.labels(*model)
        self._rejected = families.rejected.labels(*model)
        self._cancelled = families.cancelled.labels(*model)
        self._failed_runs = families.failed_runs.labels(*model)
        self._not_finite = families.not_finite.labels(*model)
        self._decode_seconds = families.decode_seconds.labels(*model)
        self._queue_seconds = families.queue_seconds.labels(*model)
        self._inference_seconds = families.inference_seconds.labels(*model)
        self._request_inference_seconds = families.request_inference_seconds.labels(*model)
        self._batch_size = families.batch_size.labels(*model)
        self._waiting = families.waiting.labels(*model)
        self._outstanding = families.outstanding.labels(*model)
        self._capacity = families.capacity.labels(*model)
        self._predictions = PredictionMetrics(families, metadata)
        self._classes = len(metadata.labels)
        self._queue: Queue | None = None
        self._requests: list[float] = []  # images, decode_s and queue_s of each, one after the other
        self._folded = 0  # the length of all lists before, so that a fold changes no sum
        self._runs: list[float] = []  # batch_size, inference_s, and requests times finite rows of each
        self._rows: list[NDArray[np.float32]] = []
        self._unfolded_images = 0
        self.probes = 0
        self._info.set(1)

    @property
    def recent(self) -> object:
        """A value that changes whenever a request is answered, and only then."""
        return self._folded + len(self._requests)

    def runs_on(self, provider: str) -> None:
        """Sets the execution provider, if the model runs on another one than expected."""
        self._info.set(0)
        self._info = self._infos(provider)
        self._provider = provider
        self._info.set(1)

    def expects(self, capacity: int) -> None:
        """Sets the queue capacity, in images, of a model that is not open yet."""
        self._capacity.set(capacity)

    def watch(self, queue: Queue) -> None:
        """Sets the model's queue, which is read at each fold."""
        self._queue = queue

    def classified(self, images: int, decode_s: float, queue_s: float) -> None:
        """Counts an answered request.

        Args:
            images: of the request.
            decode_s: seconds to decode them.
            queue_s: seconds that it waited for its batch.
        """
        self._requests += (images, decode_s, queue_s)

    def ran(self, batch: Batch, inference_s: float, rows: NDArray[np.float32] | None) -> None:
        """Counts a run of the session.

        Args:
            batch: the batch of this run.
            inference_s: seconds that it took.
            rows: its finite rows, float32 [n, C], n at most ``batch.size``; the first K columns are probabilities. Not
                to be changed. None where the run failed.
        """
        if rows is None:
            self._failed_runs.inc()
            return
        # The share of finite rows stands for the share of requests that are answered.
        if self.probes:
            self._runs += (batch.size, inference_s, _count_requests(batch) * len(rows))
            self._rows.append(_predicted(batch, rows))
        else:
            self._runs += (batch.size, inference_s, len(batch.parts) * len(rows))
            self._rows.append(rows)
        self._unfolded_images += batch.size
        if self._unfolded_images >= _FOLD_AT_IMAGES:
            self.fold()

    def not_finite(self, images: int) -> None:
        """Counts images for which the model gave values that are not finite."""
        self._not_finite.inc(images)

    def failed(self) -> None:
        """Counts a request that ended in an error."""
        self._failed.inc()

    def rejected(self) -> None:
        """Counts a request for which the queue had no room, which is an error too."""
        self._rejected.inc()
        self.failed()

    def cancelled(self) -> None:
        """Counts a request that was removed from the queue because its client had disconnected."""
        self._cancelled.inc()

    def fold(self) -> None:
        """Adds the buffered counts to the metrics, and reads the queue."""
        if self._requests:
            requests = np.array(self._requests).reshape(-1, 3)
            self._classified.inc(len(requests))
            self._images.inc(int(requests[:, 0].sum()))
            self._decode_seconds.observe_many(requests[:, 1])
            self._queue_seconds.observe_many(requests[:, 2])
            self._folded += len(self._requests)
            self._requests = []
        if self._runs:
            runs = np.array(self._runs).reshape(-1, 3)
            self._batch_size.observe_many(runs[:, 0])
            self._inference_seconds.observe_many(runs[:, 1])
            self._request_inference_seconds.inc(float((runs[:, 1] * runs[:, 2] / runs[:, 0]).sum()))
            self._predictions.add(np.concatenate(self._rows)[:, : self._classes])
            self._runs, self._rows, self._unfolded_images = [], [], 0
        self._predictions.show()
        if self._queue is not None:
            self._waiting.set(self._queue.waiting)
            self._outstanding.set(self._queue.outstanding)
            self._capacity.set(self._queue.capacity)

    def close(self, *, replaced_on: str | None = None) -> None:
        """Marks the model as no longer served. Its counts stay, and its drift ends.

        Args:
            replaced_on: the execution provider of the model of the same name and version that has replaced it and
                shows its own state; None if none has.
        """
        self.fold()
        self._queue = None
        self._predictions.close()
        if replaced_on != self._provider:
            self._info.set(0)
        if replaced_on is None:
            for gauge in (self._waiting, self._outstanding, self._capacity):
                gauge.set(0)


def _count_requests(batch: Batch) -> int:
    """How many requests have images in a batch, without explanations."""
    return sum(entry.origin is not PROBE for entry, _start, _stop in batch.parts)


def _predicted(batch: Batch, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of predictions, without explanations; no rows where some were not finite, so they cannot be assigned."""
    if _count_requests(batch) == len(batch.parts):
        return rows
    if len(rows) != batch.size:
        return rows[:0]
    kept = [entry.origin is not PROBE for entry, start, stop in batch.parts for _ in range(stop - start)]
    predicted: NDArray[np.float32] = rows[np.array(kept)]
    return predicted
