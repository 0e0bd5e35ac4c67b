"""Why a picture cannot be used. Each message says what would be right, and is written for whoever sent the picture."""


class PictureError(ValueError):
    """These bytes cannot become pixels."""


class UnreadableError(PictureError):
    """They are not a picture in a known format, or a damaged one, or one whose pixels have no declared meaning."""


class TooSlowError(UnreadableError):
    """They compute many times longer than others of their format and size, and were given up."""

    def __init__(self) -> None:
        super().__init__("it takes many times longer to decode than a picture of its format and size; save it anew")


class TooManyPixelsError(PictureError):
    """The picture's header declares more pixels than may be decoded."""
