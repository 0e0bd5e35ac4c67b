"""Errors of a model file's metadata."""

from typing import Final


class ContractError(ValueError):
    """A model file's metadata is missing, malformed, or contradicts itself. The message names the field."""


class NoMetadataError(ContractError):
    """A file has no metadata, so another program made it."""

    MESSAGE: Final = "it has no metadata that says what its labels are and how a picture becomes its input"

    def __init__(self) -> None:
        super().__init__(self.MESSAGE)
