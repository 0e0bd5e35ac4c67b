"""BMP's run-length encodings of 8 and 4 bits a pixel (Microsoft, "Bitmap Compression").

Pillow decodes them byte by byte in Python, which takes seconds for millions of codes, even in a small picture.
Codes are pairs of bytes::

    count value   a run            0 0   end of a line       0 2 right up   a jump
                                   0 1   end of the picture  0 n ...        n uncompressed pixels, padded to a pair

Only the pairs that begin with 0 are read one by one; NumPy decodes the runs between them.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from imaging import limits
from imaging.errors import UnreadableError

_END_OF_LINE, _END, _JUMP = 0, 1, 2
_CHUNK = 1 << 18  # pixels and pairs that are decoded at once
_Numbers = NDArray[np.int64]


class Codes:
    """The pairs of a file.

    Args:
        data: the file from the first pair on.
        width: of the picture.
        height: of the picture.
        bits: per pixel, 4 or 8.

    Attributes:
        count: number of pairs that may be read.
        escapes: indices of the pairs that begin with 0; some of them are uncompressed pixels.

    Raises:
        UnreadableError: there are more escapes than any encoder writes.
    """

    def __init__(self, data: memoryview, width: int, height: int, bits: int) -> None:
        self._width, self._height, self._bits = width, height, bits
        most = 2 * (width * height + 2 * height) + 64  # a pair for each pixel, and two for each line
        self._bytes: NDArray[np.uint8] = np.frombuffer(data, np.uint8, min(most, len(data) & ~1))
        pairs = self._bytes.reshape(-1, 2)
        self._counts, self._values = pairs[:, 0], pairs[:, 1]
        self.count = len(pairs)
        self.escapes: _Numbers = np.flatnonzero(self._counts == 0)
        most_escapes = width * height // limits.BMP_ESCAPE_PIXELS + 2 * height + 64
        if len(self.escapes) > most_escapes:
            raise UnreadableError(f"its runs are broken off more than {most_escapes} times; save it again")

    def pixels(self) -> NDArray[np.uint8]:
        """Decodes the picture.

        Returns:
            uint8 [H, W], palette indices, the lines in the order of the file.

        Raises:
            UnreadableError: the codes end before the picture does.
        """
        before = np.zeros(self.count + 1, np.uint32)  # pixels of the runs before each pair
        np.cumsum(self._counts, out=before[1:])
        runs, literals = self._spans(before)
        canvas = np.zeros(self._height * self._width, np.uint8)
        runs[:, 3] = np.minimum(runs[:, 3], np.searchsorted(before, before[runs[:, 2]] + runs[:, 1]) - runs[:, 2])
        for part in _chunks(runs, before[runs[:, 2] + runs[:, 3]] - before[runs[:, 2]] + runs[:, 3]):
            self._lay_runs(canvas, part, before)
        for part in _chunks(literals, literals[:, 3]):
            self._lay_literals(canvas, part)
        return canvas.reshape(self._height, self._width)

    def _spans(self, before: NDArray[np.uint32]) -> tuple[_Numbers, _Numbers]:
        """Reads the escapes one by one.

        Returns:
            The spans of runs, and the spans of uncompressed pixels. For each span: its first pixel, how many pixels are
            left in the line, its first pair, and how many pairs or pixels it has.
        """
        width, height = self._width, self._height
        runs: list[tuple[int, int, int, int]] = []
        literals: list[tuple[int, int, int, int]] = []
        x = y = pair = sent = 0
        for place, value, after, sent_here, sent_after, right, up in self._escapes(before):
            if place < pair:
                continue
            if x < width:
                runs.append((y * width + x, width - x, pair, place - pair))
            x += sent_here - sent
            pair, sent = after, sent_after
            if value == _END_OF_LINE:
                x, y = 0, y + 1
            elif value == _JUMP:
                x, y = x + right, y + up
            elif value > _JUMP and x < width:
                literals.append((y * width + x, width - x, place + 1, min(value, width - x)))
                x += value
            if value == _END or y >= height:
                return _table(runs), _table(literals)
        if x < width:
            runs.append((y * width + x, width - x, pair, self.count - pair))
        if (y, x + int(before[-1]) - sent) < (height - 1, width):
            raise UnreadableError("its pixels are truncated or broken")
        return _table(runs), _table(literals)

    def _escapes(self, before: NDArray[np.uint32]) -> Iterator[tuple[int, ...]]:
        """Each escape's index and value, the pair after it, the run pixels before both, and the two bytes after it."""
        places, values = self.escapes, self._values[self.escapes].astype(np.int64)
        words = (values * self._bits + 15) // 16
        following = np.minimum(places + 1 + np.where(values > _JUMP, words, values == _JUMP), self.count)
        behind = np.minimum(places + 1, self.count - 1)
        return zip(
            *(numbers.tolist() for numbers in (places, values, following, before[places], before[following])),
            *(numbers[behind].tolist() for numbers in (self._counts, self._values)),
            strict=True,
        )

    def _lay_runs(self, canvas: NDArray[np.uint8], spans: _Numbers, before: NDArray[np.uint32]) -> None:
        target, room, pair, count = spans.T
        pairs = _ranges(pair, count)
        offset = before[pairs].astype(np.int64) - np.repeat(before[pair], count)
        length = np.clip(np.repeat(room, count) - offset, 0, self._counts[pairs])
        start = np.repeat(target, count) + offset
        places = _ranges(start, length)
        values = np.repeat(self._values[pairs], length)
        if self._bits == 4:
            is_second = (places - np.repeat(start, length)) & 1
            values = np.where(is_second, values & 15, values >> 4)
        canvas[places] = values

    def _lay_literals(self, canvas: NDArray[np.uint8], spans: _Numbers) -> None:
        target, _, pair, count = spans.T
        if self._bits == 8:
            canvas[_ranges(target, count)] = self._bytes[np.minimum(_ranges(2 * pair, count), len(self._bytes) - 1)]
        else:
            nibbles = np.minimum(_ranges(4 * pair, count), 2 * len(self._bytes) - 1)
            values = self._bytes[nibbles >> 1]
            canvas[_ranges(target, count)] = np.where(nibbles & 1, values & 15, values >> 4)


def _table(spans: list[tuple[int, int, int, int]]) -> _Numbers:
    return np.array(spans, np.int64).reshape(-1, 4)


def _chunks(spans: _Numbers, sizes: _Numbers) -> Iterator[_Numbers]:
    """Splits spans into groups that need little memory."""
    chunk = np.cumsum(sizes) // _CHUNK
    bounds = np.flatnonzero(np.diff(chunk)) + 1
    return (part for part in np.split(spans, bounds) if len(part))


def _ranges(starts: NDArray[np.integer], lengths: _Numbers) -> _Numbers:
    """The numbers of all ranges, concatenated."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
