"""Errors of pictures that cannot be used. Each message is for the client, and says what is allowed."""


class PictureError(ValueError):
    """A file cannot be decoded to pixels."""


class UnreadableError(PictureError):
    """It is not a picture in a known format, or it is damaged, or the range of its pixels is not declared."""


class TooSlowError(UnreadableError):
    """Decoding took many times longer than for others of this format and size, and was ended."""

    def __init__(self) -> None:
        super().__init__("it takes many times longer to decode than a picture of its format and size; save it again")


class TooManyPixelsError(PictureError):
    """The picture's header declares more pixels than may be decoded."""
