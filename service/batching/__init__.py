"""The bounded queue and the batcher: images in, rows of numbers out. Independent of ONNX Runtime and of HTTP.

::

    admit -> submit -> [ queue ] -> form a batch -> Runner.run_briefly or .start -> each request its rows -> release
"""

from service.batching.batch import Batch
from service.batching.batcher import Batcher
from service.batching.queue_entry import QueueEntry
from service.batching.runner import Observer, Runner

__all__ = ["Batch", "Batcher", "Observer", "QueueEntry", "Runner"]
