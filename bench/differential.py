"""Compares the service's reading of pictures with Pillow's full decoding, and explains the differences.

::

    installed encoders, pictures below FOLDERs ──> imaging.read ──┐
                                              └──> Pillow ────────┴──> network ──> largest difference of a probability

Run as ``python -m bench.differential [FOLDER ...]``; exit status 1 where a difference is not explained. Four encoders
take part where they are installed: `pip install opencv-python-headless imageio pillow-heif tifffile imagecodecs`.

A rule of the service explains a difference if the picture, read again without the rule, agrees with Pillow. Where the
encoded pixels are known, both readings are also compared with them.
"""

import argparse
import hashlib
import io
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bench.encoders import encoded_pictures
from bench.workloads import Network, default_file
from imaging import PictureError, Target, read

TOLERANCE = 0.02
_ROUNDING = 2
_SUFFIXES = {
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".ico", ".jpeg"),
    *(".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"),
}


class Picture(NamedTuple):
    """One file, and its pixels where they are known.

    Attributes:
        name: encoder and kind, or path.
        data: the content of the file.
        pixels: the encoded pixels, uint8 [H, W, 3] or [H, W, 4]; None where they are not known.
    """

    name: str
    data: bytes
    pixels: NDArray[np.uint8] | None = None


class Comparison:
    """Compares the two readings by a network's answers.

    Args:
        network: uint8 [N, H, W, C] to probabilities.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._target = Target.of(network.metadata)
        self._full = replace(self._target, is_reduced=False)

    def verdict(self, picture: Picture) -> tuple[str, float]:
        """The result for a picture: (the explanation, the largest difference of a probability)."""
        theirs = self._by_pillow(picture.data)
        try:
            ours = read(picture.data, self._target)
        except PictureError as error:
            if theirs is None:
                return "both refuse it", 0.0
            return f"refused, Pillow reads it: {re.split('[,;]', str(error))[0]}", 1.0
        if theirs is None:
            return "read, Pillow refuses it" + self._against_truth(picture), 0.0
        difference = self._difference(ours, theirs)
        if difference <= TOLERANCE:
            return "same", difference
        return self._explain(picture, theirs), difference

    def _explain(self, picture: Picture, theirs: NDArray[np.uint8]) -> str:
        if picture.pixels is not None and self._difference(theirs, self._truth(picture)) > TOLERANCE:
            return "Pillow shows other pixels than were encoded" + self._against_truth(picture)
        for reason, target in (
            (f"rounding: no pixel differs by more than {_ROUNDING} of 255", self._target),
            ("a large picture is reduced before the resize", self._full),
            ("its colour profile is applied", replace(self._full, icc=False)),
        ):
            pixels = read(picture.data, target)
            if np.abs(pixels.astype(int) - theirs).max() <= _ROUNDING or self._difference(pixels, theirs) <= TOLERANCE:
                return reason
        return "NOT EXPLAINED"

    def _against_truth(self, picture: Picture) -> str:
        if picture.pixels is None:
            return ""
        off = self._difference(read(picture.data, self._full), self._truth(picture))
        return "; ours are as encoded" if off <= 2 * TOLERANCE else "; NOT EXPLAINED: ours are not as encoded either"

    def _truth(self, picture: Picture) -> NDArray[np.uint8]:
        assert picture.pixels is not None
        return self._fitted(Image.fromarray(picture.pixels))

    def _by_pillow(self, data: bytes) -> NDArray[np.uint8] | None:
        """The pixels as Pillow's documentation reads a picture; None where Pillow cannot."""
        try:
            with Image.open(io.BytesIO(data)) as opened:
                opened.load()
                return self._fitted(ImageOps.exif_transpose(opened))
        except Exception:  # noqa: BLE001  plugins raise anything
            return None

    def _fitted(self, picture: Image.Image) -> NDArray[np.uint8]:
        if picture.mode.startswith("I;16"):
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert("RGB")
        size = self._target.width, self._target.height
        return np.asarray(ImageOps.fit(picture, size, Image.Resampling.BILINEAR))

    def _difference(self, one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
        probabilities = self._network.run(np.stack([one, other]))
        return float(np.abs(probabilities[0] - probabilities[1]).max())


def pictures_below(folders: list[Path]) -> Iterator[Picture]:
    """Every picture below some folders, each content once."""
    seen = set()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file()):
            data = path.read_bytes()
            digest = hashlib.sha256(data).digest()
            if digest not in seen:
                seen.add(digest)
                yield Picture(str(path), data)


def main() -> int:
    """Compares all pictures, and prints a table and the differences that are not explained."""
    parser = argparse.ArgumentParser(prog="python -m bench.differential", description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--every", action="store_true", help="name each picture that differs")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    comparison = Comparison(Network(default_file("cifar10")))
    counts, largest, unexplained = Counter[str](), dict[str, float](), []
    made = (Picture(*entry) for entry in encoded_pictures())
    for picture in (*made, *pictures_below(options.folders)):
        verdict, difference = comparison.verdict(picture)
        counts[verdict] += 1
        largest[verdict] = max(difference, largest.get(verdict, 0.0))
        if "NOT EXPLAINED" in verdict:
            unexplained.append(picture.name)
        if options.every and verdict != "same":
            print(f"{picture.name}: {verdict} ({difference:.3f})")
    print(f"| {sum(counts.values())} pictures | number | largest difference |\n|---|---|---|")
    for verdict, count in counts.most_common():
        print(f"| {verdict} | {count} | {largest[verdict]:.3f} |")
    for name in unexplained:
        print(f"not explained: {name}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
