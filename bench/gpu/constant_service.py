"""The service with an engine that returns a constant answer at once, to measure only HTTP, decoding and batching.

It has one worker only: processes that a supervisor starts would not have the changed engine.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from service.__main__ import main
from service.inference import LoadedModel, ModelRepository

_load = ModelRepository.load


def _load_constant(repository: ModelRepository, name: str, version: str) -> LoadedModel:
    loaded = _load(repository, name, version)
    rows = np.zeros((loaded.session.max_batch_size, len(loaded.metadata.labels)), np.float32)
    rows[:, 0] = 1

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return rows[: len(images)]

    loaded.session.run = run  # type: ignore[method-assign]
    return loaded


if __name__ == "__main__":
    ModelRepository.load = _load_constant  # type: ignore[method-assign, assignment]
    sys.exit(main(sys.argv[1:]))
