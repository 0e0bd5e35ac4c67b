"""The facts that are stated about a model: by the command's flags, the file's own metadata, and the files beside it.

::

    flags  >  metadata in the file  >  sidecar files  >  nothing: an error that lists the choices

Each fact keeps its origin for the model card.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, Self, TypeVar

from training.errors import ImportRefusedError
from training.importing.labels import Labels
from training.importing.preprocessing import ChannelOrder, Preprocessing
from training.importing.resizing import Resizing
from training.importing.terms import Head, ValuesAre

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """One stated fact.

    Attributes:
        value: of the fact.
        origin: where it is stated: a flag, a metadata key, or a file and its key.
        is_assumed: whether it is stated nowhere. It is then the most common value, and the command says so.
    """

    value: T
    origin: str
    is_assumed: bool = False


class Unclear(Fact[Any]):
    """A stated fact that cannot be used: an import that needs it is refused, unless a flag states it."""

    __slots__ = ("error",)
    error: ImportRefusedError

    def __init__(self, error: ImportRefusedError) -> None:
        object.__setattr__(self, "error", error)
        object.__setattr__(self, "origin", str(error))
        object.__setattr__(self, "is_assumed", False)

    @property
    def value(self) -> Any:
        """Raises the error.

        Raises:
            ImportRefusedError: always; the message says why.
        """
        raise self.error


def unless_refused(read: Callable[[], T], origin: str) -> Fact[T]:
    """The fact that a reader finds in a file, or :class:`Unclear` where it refuses."""
    try:
        return Fact(read(), origin)
    except ImportRefusedError as error:
        return Unclear(error)


@dataclass(frozen=True, slots=True)
class Stated:
    """All facts that one place states; those that it does not state are None.

    Attributes:
        labels: of the classes.
        preprocessing: of pixel values.
        resizing: how a picture becomes an input.
        size: (height, width) of the input, in pixels.
        head: how the network ends.
        output: name of the output that classifies.
        values: of a sigmoid head: probabilities, or logits.
        order: of the channels, where it is stated apart from the preprocessing.
    """

    labels: Fact[Labels] | None = None
    preprocessing: Fact[Preprocessing] | None = None
    resizing: Fact[Resizing] | None = None
    size: Fact[tuple[int, int]] | None = None
    head: Fact[Head] | None = None
    output: Fact[str] | None = None
    values: Fact[ValuesAre] | None = None
    order: Fact[ChannelOrder] | None = None

    @classmethod
    def merged(cls, places: Sequence[Self]) -> Self:
        """Takes each fact from the first place that states it.

        Args:
            places: in order of priority.
        """
        chosen = {}
        for field in fields(cls):
            said = (getattr(place, field.name) for place in places)
            chosen[field.name] = next((fact for fact in said if fact is not None), None)
        return cls(**chosen)
