"""The bounded queue and the batcher. Knows no engine and no HTTP: images in, rows of numbers out.

::

    admit -> submit -> [ queue ] -> form a batch -> Runner.run -> hand each caller its rows -> release
"""

from service.batching.batch import Batch
from service.batching.batcher import Batcher
from service.batching.queue_entry import QueueEntry
from service.batching.runner import Observer, Runner

__all__ = ["Batch", "Batcher", "Observer", "QueueEntry", "Runner"]
