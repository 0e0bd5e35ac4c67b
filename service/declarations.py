"""What a route or a call says about itself, at the place where it is written.

::

    @declare(key_scope="predict", errors=(ModelNotFoundError,))
    async def get_model(...)

Three readers take it from here, so that none of them has a list of paths: what asks for keys over HTTP, what asks for
them over gRPC, and what makes the OpenAPI document.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from service.errors import ConvoyError

KeyScope = Literal["predict", "metrics", "control"]
"""What a key is for: classifying, and asking what is served; reading the metrics; loading and unloading models."""

Declared = TypeVar("Declared", bound=Callable[..., object])

_ATTRIBUTE: Final = "declaration"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is said.

    Attributes:
        key_scope: that a key must have; None where no key is asked for.
        errors: that an answer may tell of.
        cost: requests that one counts as in the rate of its key.
    """

    key_scope: KeyScope | None
    errors: tuple[type[ConvoyError], ...] = ()
    cost: int = 1


UNDECLARED: Final = Declaration(key_scope="control")
"""Of what says nothing: only a key for control opens it, so that nothing is open because somebody forgot it."""


def declare(
    *, key_scope: KeyScope | None, errors: tuple[type[ConvoyError], ...] = (), cost: int = 1
) -> Callable[[Declared], Declared]:
    """Attaches a declaration to a handler, or to a class whose instances are handlers."""

    def attach(handler: Declared) -> Declared:
        setattr(handler, _ATTRIBUTE, Declaration(key_scope, errors, cost))
        return handler

    return attach


def declaration_of(handler: object) -> Declaration:
    """What a handler says; :data:`UNDECLARED` where it says nothing."""
    declared: Declaration = getattr(handler, _ATTRIBUTE, UNDECLARED)
    return declared
