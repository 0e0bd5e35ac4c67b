"""The words that say how a network ends and how its values are laid out; imports nothing, so that --help is instant."""

from typing import Literal

Head = Literal["softmax", "logits", "sigmoid", "multi-label"]
"""How a network is served: see :data:`training.importing.head.CHOICES`."""

ValuesAre = Literal["probabilities", "logits"]
"""What a graph computes."""

LastOperation = Literal["softmax", "log-softmax", "sigmoid", "bounded", "linear", "other"]
"""What makes the values of a graph's output."""

Layout = Literal["NCHW", "NHWC"]
"""The axes of a graph's input."""
