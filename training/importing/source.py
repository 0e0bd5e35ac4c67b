"""A foreign classifier: its graph, its own framework's answers, and the facts that its files state."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from training.importing.onnx_graph import NetworkInput
from training.importing.preprocessing import Preprocessing
from training.importing.resizing import Resizing
from training.importing.stated import Stated
from training.importing.terms import LastOperation

_BATCH = 64
_USUAL = Resizing("cover")

Answer = Callable[[NDArray[np.float32]], NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Source:
    """One foreign classifier that was read; its facts may be incomplete.

    Attributes:
        origin: its path, for messages.
        kind: of file, for the model card.
        framework: the framework that computes ``answer``, with its version.
        layers: the number of its layers or nodes.
        graph: in ONNX, with the source's own input and output.
        taken: the input of the graph.
        output: the name of the output that classifies.
        last: the last operation before that output.
        answer: the source framework's own answers: preprocessed float32 [N, H, W, C] to values [N, columns].
        stated: the facts from the command line, the file and the files beside it.
        resizes: the resize of its framework, whose fit is tried where none is stated.
        scales_inside: names of the network's own scaling layers; empty where none are found.
        inside: the rule of these layers, where it can be written as one; without scaling layers, the normalisation of
            pixels from 0 to 1 at the beginning of the graph, or None.
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
    resizes: Resizing = _USUAL
    scales_inside: str = ""
    inside: Preprocessing | None = None

    def answer_pictures(self, images: NDArray[np.uint8], rule: Preprocessing) -> NDArray[np.generic]:
        """The framework's own answers for uint8 [N, H, W, C]; in batches, since values take 4 to 8 times the memory."""
        starts = range(0, len(images), _BATCH)
        return np.concatenate([self.answer(rule.apply(images[start : start + _BATCH])) for start in starts])
