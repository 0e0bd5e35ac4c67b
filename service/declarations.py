"""Declares, beside each route or gRPC call, which key it needs and which errors it can answer with.

::

    @declare(key_scope="predict", errors=(ModelNotFoundError,))
    async def get_model(...)

The key check of HTTP, the key check of gRPC and the OpenAPI document read these declarations, so none of them needs a
list of paths.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from service.errors import ConvoyError

KeyScope = Literal["predict", "metrics", "control"]
"""What a key allows. predict: classify and list models; metrics: read metrics; control: load and unload models."""

Declared = TypeVar("Declared", bound=Callable[..., object])

_ATTRIBUTE: Final = "declaration"


@dataclass(frozen=True, slots=True)
class Declaration:
    """The declaration of one handler.

    Attributes:
        key_scope: the scope that a key must have; None where no key is needed.
        errors: the errors that an answer can report.
        cost: how many requests this one counts as in the rate of its key.
    """

    key_scope: KeyScope | None
    errors: tuple[type[ConvoyError], ...] = ()
    cost: int = 1


UNDECLARED: Final = Declaration(key_scope="control")
"""For handlers without a declaration: they need a control key, so that a forgotten declaration opens nothing."""


def declare(
    *, key_scope: KeyScope | None, errors: tuple[type[ConvoyError], ...] = (), cost: int = 1
) -> Callable[[Declared], Declared]:
    """Attaches a declaration to a handler, or to a class whose instances are handlers."""

    def attach(handler: Declared) -> Declared:
        setattr(handler, _ATTRIBUTE, Declaration(key_scope, errors, cost))
        return handler

    return attach


def declaration_of(handler: object) -> Declaration:
    """Returns the declaration of a handler; :data:`UNDECLARED` where it has none."""
    declared: Declaration = getattr(handler, _ATTRIBUTE, UNDECLARED)
    return declared
