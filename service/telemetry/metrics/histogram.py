"""A Prometheus histogram that takes many observations at once."""

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Histogram


class BulkHistogram(Histogram):
    """prometheus-client's histogram, and one more way to observe; alike in one process and in several."""

    def observe_many(self, values: NDArray[np.floating]) -> None:
        """Observes every value, at the cost of a few.

        Args:
            values: [n], finite.
        """
        if not len(values):
            return
        # As Histogram.observe does it one by one: the first bucket whose upper bound is not below the value.
        counts = np.bincount(np.searchsorted(self._upper_bounds, values), minlength=len(self._buckets))
        for index in np.flatnonzero(counts).tolist():
            self._buckets[index].inc(int(counts[index]))
        self._sum.inc(float(values.sum(dtype=np.float64)))
