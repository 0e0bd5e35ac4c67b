"""The terms for a network's head and the layout of its values; imports almost nothing, so that --help is fast."""

from typing import Literal

Head = Literal["softmax", "logits", "sigmoid", "multi-label"]
"""The head that a network is served with: see :data:`training.importing.head.CHOICES`."""

ValuesAre = Literal["probabilities", "logits"]
"""The kind of values that a graph computes."""

LastOperation = Literal["softmax", "log-softmax", "sigmoid", "bounded", "positive", "linear", "other"]
"""The operation that computes the values of a graph's output."""

Layout = Literal["NCHW", "NHWC"]
"""The axes of a graph's input."""
