"""AVIF files that need as much decoding work as their coding permits."""

from collections.abc import Iterator

from PIL import Image

from bench.reliability.hostile_pictures.picture import HostileFile, encode, noise, photo

_FAST = {"speed": 8}


def honest(width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """A file of each coding."""
    picture = photo(width, height)
    yield "4:2:0", encode(picture, "AVIF", quality=80, **_FAST)
    yield "4:4:4", encode(picture, "AVIF", quality=90, subsampling="4:4:4", **_FAST)


def hostile(width: int, height: int) -> Iterator[HostileFile]:
    """Every kind of slow file that the installed encoder can make."""
    picture, grain = photo(width, height), noise(width, height)
    yield HostileFile("noise, 4:2:0", "4:2:0", encode(grain, "AVIF", quality=100, **_FAST))
    yield HostileFile("noise, 4:4:4", "4:4:4", encode(grain, "AVIF", quality=100, subsampling="4:4:4", **_FAST))
    yield HostileFile("noise, quality 70", "4:4:4", encode(grain, "AVIF", quality=70, subsampling="4:4:4", **_FAST))
    options = {
        "film-grain-test": "16",
        "enable-rect-partitions": "1",
        "max-partition-size": "4",
        "min-partition-size": "4",
    }
    for name, value in options.items():
        data = encode(picture, "AVIF", quality=80, advanced={name: value}, **_FAST)
        yield HostileFile(f"{name} {value}", "4:2:0", data)
    frames = [Image.new("RGB", (width, height), (index, 0, 0)) for index in range(20)]
    data = encode(frames[0], "AVIF", save_all=True, append_images=frames[1:], **_FAST)
    yield HostileFile("20 frames", "4:2:0", data)
    yield HostileFile("10 MB behind it", "4:2:0", encode(picture, "AVIF", quality=80, **_FAST) + bytes(10 << 20))
