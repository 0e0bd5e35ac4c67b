"""The parts of a classification. Requests that go through the classifier: tests/api, tests/server."""

from typing import Any

import numpy as np

from imaging.observation import Observation
from service.classifier import Classification

COUNT, BEGIN, END = 10, 4, 9


def test_a_part_has_everything_of_its_own_pictures_and_of_no_others() -> None:
    nothing: Any = None
    seen = [Observation(nothing, 1, 1, nothing, place=place) for place in (0, 3, 4, 7, 8, 9)]
    numbers = np.arange(COUNT, dtype=np.float32)
    whole = Classification(nothing, numbers[:, None], 0.0, 0.0, 0.0, COUNT, seen, numbers)
    part = whole.part(BEGIN, END)
    assert [one.place for one in part.seen] == [0, 3, 4]
    for name in Classification._fields:
        value, cut = getattr(whole, name), getattr(part, name)
        if isinstance(value, np.ndarray):
            assert cut.tolist() == value[BEGIN:END].tolist(), name
    assert whole._replace(familiarity=None).part(BEGIN, END).familiarity is None
