"""What is wrong with a model file's metadata."""


class ContractError(ValueError):
    """A model file's metadata is missing, malformed, or contradicts itself. The message names the field."""
