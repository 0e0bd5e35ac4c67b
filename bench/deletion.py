"""The deletion test: how far the probability of a class falls without the pixels that its map calls most important.

::

    test image ─> map of its class ─> the most important tenth of its pixels ──┐
                                      the same shape elsewhere                 ├─> removed: fall of the probability
                                      single pixels at random                  ┘

Removed pixels get one background colour, or are filled from their neighbours (:mod:`bench.road`).
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.road import impute
from bench.workloads import Network, Pixels
from network.graph import read_graph
from service.explaining import occlusion
from service.explaining.hirescam import is_fine, linear_head, upscale

WAYS: Final = "most important", "same shape elsewhere", "random"
FILLINGS: Final = "ground", "ROAD"

_SHARE: Final = 10  # a tenth is removed

Falls = dict[tuple[str, str, str], float]
"""The fall of the probability, by method, way and filling."""


class Explained(Network):
    """A network with every explanation map that can be made for it.

    Attributes:
        served_method: the method that the service uses for it.
        methods: all methods that are possible for it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        features = self.metadata.features
        self._head = linear_head(read_graph(path.read_bytes())) if features is not None else None
        self.methods = ("occlusion",) if self._head is None else ("hirescam", "occlusion")
        self.served_method = "hirescam" if self._head is not None and is_fine(features) else "occlusion"
        self._on_black = self.metadata.polarity == "light-on-dark"

    def map_of(self, image: Pixels, column: int, before: float, method: str) -> NDArray[np.float32]:
        """The map of a class: how much each pixel speaks for it.

        Args:
            image: uint8 [H, W, C].
            column: of the class.
            before: the probability of the class for the whole image.
            method: one of :attr:`methods`.

        Returns:
            float32 [H, W].
        """
        if method == "hirescam":
            assert self._head is not None
            mirrored = self.features(image[np.newaxis, :, ::-1].copy())[0] if self._head.is_mirrored else None
            places = self._head.contributions(self.features(image[np.newaxis])[0], mirrored)
            return upscale(places[column], *image.shape[:2])
        hidden = occlusion.Occlusion(image, on_black=self._on_black)
        return hidden.to_map(before, self.run(hidden.images(0, occlusion.PATCHES))[:, column])

    def falls(self, image: Pixels, seed: int) -> Falls:
        """Measures all falls for one picture.

        Args:
            image: uint8 [H, W, C].
            seed: of the random numbers.
        """
        random = np.random.default_rng(seed)
        before = self.run(image[np.newaxis])[0]
        column, pixels = int(before.argmax()), image.shape[0] * image.shape[1]
        shift, chance = random.integers(0, image.shape[:2]), random.permutation(pixels)
        falls: Falls = {}
        for method in self.methods:
            mapped = self.map_of(image, column, float(before[column]), method)
            moved = np.roll(mapped, shift, (0, 1))
            orders = np.argsort(-mapped.ravel()), np.argsort(-moved.ravel()), chance
            for way, order in zip(WAYS, orders, strict=True):
                removed = order[: pixels // _SHARE]
                filled = self._on_ground(image, removed), impute(image, removed, random)
                after = self.run(np.stack(filled))[:, column]
                falls |= {
                    (method, way, filling): float(before[column] - left)
                    for filling, left in zip(FILLINGS, after, strict=True)
                }
        return falls

    def _on_ground(self, image: Pixels, removed: NDArray[np.intp]) -> Pixels:
        changed = image.reshape(-1, image.shape[2]).copy()
        changed[removed] = 0 if self._on_black else image.mean(axis=(0, 1)).round().astype(np.uint8)
        return changed.reshape(image.shape)


def report(network: Explained, falls: list[Falls]) -> str:
    """The mean falls in words, one line for each method and filling."""
    said, lines = network.metadata, []
    for method in network.methods:
        is_served = " (served)" if method == network.served_method else ""
        for filling in FILLINGS:
            columns = [np.array([one[method, way, filling] for one in falls]) for way in WAYS]
            parts = [f"{way} {column.mean():.3f}" for way, column in zip(WAYS, columns, strict=True)]
            further = [f"{np.mean(columns[0] > column):.1%}" for column in columns[1:]]
            lines.append(
                f"{said.name}/{said.version} {method}{is_served}, {filling}, {len(falls)} images: falls without "
                f"{', '.join(parts)}; further than elsewhere for {further[0]}, than at random for {further[1]}"
            )
    return "\n".join(lines)
