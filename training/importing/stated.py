"""What somebody said about a model: the flags of the command, the file's own metadata, the files beside it.

::

    flags  >  metadata in the file  >  sidecar files  >  nothing: an error that lists the choices

Each fact keeps where it came from, so that the model card can say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Generic, Self, TypeVar

from training.importing.labels import Labels
from training.importing.preprocessing import Preprocessing
from training.importing.resizing import Resizing
from training.importing.terms import Head

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """One thing that was said.

    Attributes:
        value: what.
        origin: where: a flag, a metadata key, a file and its key.
    """

    value: T
    origin: str


@dataclass(frozen=True, slots=True)
class Stated:
    """All that one place says. What it does not say is None.

    Attributes:
        labels: of the classes.
        preprocessing: of pixel values.
        resizing: how a picture becomes an input.
        size: (height, width) of the input, in pixels.
        head: how the network ends.
        output: name of the output that classifies.
    """

    labels: Fact[Labels] | None = None
    preprocessing: Fact[Preprocessing] | None = None
    resizing: Fact[Resizing] | None = None
    size: Fact[tuple[int, int]] | None = None
    head: Fact[Head] | None = None
    output: Fact[str] | None = None

    @classmethod
    def merged(cls, places: Sequence[Self]) -> Self:
        """Takes each fact from the first place that states it.

        Args:
            places: the one that wins first.
        """
        chosen = {}
        for field in fields(cls):
            said = (getattr(place, field.name) for place in places)
            chosen[field.name] = next((fact for fact in said if fact is not None), None)
        return cls(**chosen)
