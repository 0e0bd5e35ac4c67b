"""What somebody said about a model: the flags of the command, the file's own metadata, the files beside it.

::

    flags  >  metadata in the file  >  sidecar files  >  nothing: an error that lists the choices

Each fact keeps where it came from, so that the model card can say so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, Self, TypeVar

from training.errors import ImportRefusedError
from training.importing.labels import Labels
from training.importing.preprocessing import Preprocessing
from training.importing.resizing import Resizing
from training.importing.terms import Head, ValuesAre

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """One thing that was said.

    Attributes:
        value: what.
        origin: where: a flag, a metadata key, a file and its key.
        is_assumed: whether it is stated nowhere. It is then what is most common, and the command says so.
    """

    value: T
    origin: str
    is_assumed: bool = False


class Unclear(Fact[Any]):
    """What a file says and what cannot be taken: an import that needs it is refused, unless a flag says it."""

    __slots__ = ("error",)
    error: ImportRefusedError

    def __init__(self, error: ImportRefusedError) -> None:
        object.__setattr__(self, "error", error)
        object.__setattr__(self, "origin", str(error))
        object.__setattr__(self, "is_assumed", False)

    @property
    def value(self) -> Any:
        """There is none.

        Raises:
            ImportRefusedError: always; says why.
        """
        raise self.error


def unless_refused(read: Callable[[], T], origin: str) -> Fact[T]:
    """What a reader finds in a file, or :class:`Unclear`."""
    try:
        return Fact(read(), origin)
    except ImportRefusedError as error:
        return Unclear(error)


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
        values: of a sigmoid head: probabilities, or logits.
    """

    labels: Fact[Labels] | None = None
    preprocessing: Fact[Preprocessing] | None = None
    resizing: Fact[Resizing] | None = None
    size: Fact[tuple[int, int]] | None = None
    head: Fact[Head] | None = None
    output: Fact[str] | None = None
    values: Fact[ValuesAre] | None = None

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
