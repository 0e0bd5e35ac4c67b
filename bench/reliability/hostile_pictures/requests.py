"""Requests with the hostile pictures of every format, to measure their effect on a service."""

from collections.abc import Iterator
from importlib import import_module

from bench.reliability.hostile_bodies import HeavyRequest

FORMATS = ("jpeg", "png", "gif", "bmp", "tiff", "webp", "avif")
"""The modules of this package that make honest and hostile files of a format."""

SIDES = (64, 400)


def picture_requests() -> Iterator[HeavyRequest]:
    """Every hostile file in two sizes. 200 is a right answer too, since some files cost no more than honest ones."""
    for kind in FORMATS:
        for side in SIDES:
            for file in import_module(f"{__package__}.{kind}").hostile(side, side):
                yield HeavyRequest(f"{kind} {side}: {file.name}", "/predict", file.data)
