"""A classifier as it was found: its graph, what its own framework answers, and what its file says about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from training.importing.onnx_graph import NetworkInput
from training.importing.preprocessing import Preprocessing
from training.importing.stated import Stated
from training.importing.terms import LastOperation

Answer = Callable[[NDArray[np.float32]], NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Source:
    """One foreign classifier, read and not yet understood.

    Attributes:
        origin: its path, for messages.
        kind: of file, for the model card.
        framework: that gives the answers of ``answer``, with its version.
        layers: how many layers or nodes it has.
        graph: in ONNX, with the source's own input and output.
        taken: what the graph takes.
        output: the name of the output that classifies.
        last: the last operation before that output.
        answer: the source framework's own answers: preprocessed float32 [N, H, W, C] to values [N, columns].
        stated: what the file and those beside it say.
        scales_inside: what in the network itself scales its pixels; empty where nothing does or nothing can be told.
        inside: what that does to pixels, where it is one rule.
    """

    origin: Path
    kind: str
    framework: str
    layers: int
    graph: onnx.ModelProto
    taken: NetworkInput
    output: str
    last: LastOperation
    answer: Answer
    stated: Stated
    scales_inside: str = ""
    inside: Preprocessing | None = None
