"""The frame header of a JPEG, the coefficients that scans send, and their decoding time (ITU-T T.81, B.2.2, G.1)."""

import struct

from imaging import limits
from imaging.errors import UnreadableError

_BASELINE, _EXTENDED, _PROGRESSIVE, _ARITHMETIC, _ARITHMETIC_PROGRESSIVE = 0xC0, 0xC1, 0xC2, 0xC9, 0xCA
FRAMES = {_BASELINE, _EXTENDED, _PROGRESSIVE, _ARITHMETIC, _ARITHMETIC_PROGRESSIVE}
"""The markers of the frames that Pillow decodes: neither lossless nor hierarchical ones."""

_SAMPLE_BITS = 8
_ALL_COEFFICIENTS = (1 << 64) - 1

# Seconds on the reference core of `imaging.meter.slowness`; bench/reliability/slowest_pictures.py checks them.
_VISIT_S = {False: 25e-9, True: 20e-9}  # of one block in one scan: sequential, progressive
_DENSE_BYTES = 16  # of a block in a progressive file; further bytes take less time
_SPARSE_BYTE_S, _BYTE_S = 30e-9, 14e-9
_SEQUENTIAL_BYTE_S = 7e-9
_ARITHMETIC_BYTE_S = 110e-9


class Frame:
    """The content of SOF, and the coefficients that the scans have sent so far.

    Args:
        kind: the marker's code, one of :data:`FRAMES`.
        payload: of the marker.

    Attributes:
        width: in pixels.
        height: in pixels.
        components: 1 for grey, 3 for colour, 4 for CMYK.
        is_progressive: whether several scans may send each coefficient.
        block_bytes: most bytes that a scan may have for each of its blocks.

    Raises:
        UnreadableError: it is truncated, or declares no pixels or invalid sampling factors.
    """

    def __init__(self, kind: int, payload: bytes) -> None:
        if len(payload) < 6 or len(payload) < 6 + 3 * payload[5]:
            raise UnreadableError("its header is broken (a frame header that is cut short)")
        if payload[0] != _SAMPLE_BITS:
            raise UnreadableError(
                f"it is a JPEG of {payload[0]} bits a channel, which is not read; save it with 8 bits, or as PNG"
            )
        self._kind = kind
        self.height: int
        self.width: int
        self.components: int
        self.height, self.width, self.components = struct.unpack_from(">HHB", payload, 1)
        wide = high = 0
        layers = []
        for at in range(6, 6 + 3 * self.components, 3):
            across, down = payload[at + 1] >> 4, payload[at + 1] & 15
            wide, high = max(wide, across), max(high, down)
            layers.append((payload[at], across * down))
        if not (self.height and self.width and 1 <= wide <= 4 and 1 <= high <= 4):
            raise UnreadableError("its header is broken (it declares no pixels, or sampling factors that do not exist)")
        units = -(-self.width // (8 * wide)) * -(-self.height // (8 * high))
        self._blocks = {name: units * blocks for name, blocks in layers}
        self._passes: dict[int, list[int]] = {}
        self._visits = 0
        self.is_progressive = kind in {_PROGRESSIVE, _ARITHMETIC_PROGRESSIVE}
        is_arithmetic = kind in {_ARITHMETIC, _ARITHMETIC_PROGRESSIVE}
        self.block_bytes = limits.ARITHMETIC_BLOCK_BYTES if is_arithmetic else limits.HUFFMAN_BLOCK_BYTES

    def add_scan(self, payload: bytes) -> int:
        """Counts a scan.

        Args:
            payload: of its marker, SOS.

        Returns:
            The number of blocks that it visits.

        Raises:
            UnreadableError: its header is broken, or it sends a coefficient more often than allowed.
        """
        count = payload[0] if payload else 0
        if not 1 <= count <= 4 or len(payload) < 4 + 2 * count:
            raise UnreadableError("its header is broken (a scan header that is cut short)")
        first, last = payload[1 + 2 * count], payload[2 + 2 * count]
        band, most = _ALL_COEFFICIENTS, 1
        if self.is_progressive:
            if not first <= last <= 63:
                raise UnreadableError("its header is broken (a scan of no coefficients)")
            band, most = (1 << last + 1) - (1 << first), limits.MAX_JPEG_PASSES
        visits = 0
        for name in payload[1 : 1 + 2 * count : 2]:
            if name not in self._blocks:
                raise UnreadableError("its header is broken (a scan of a component that is not declared)")
            visits += self._blocks[name]
            if not _add_pass(self._passes.setdefault(name, []), band, most):
                raise UnreadableError(
                    f"its scans send the same coefficients more than {most} times; save the picture again"
                )
        self._visits += visits
        return visits

    def work_s(self, size: int) -> float:
        """CPU time, in seconds, of decoding the coefficients.

        Args:
            size: of the file, in bytes.
        """
        if self._kind >= _ARITHMETIC:
            return self._visits * _VISIT_S[self.is_progressive] + size * _ARITHMETIC_BYTE_S
        if self.is_progressive:
            dense_s = size * _BYTE_S + sum(self._blocks.values()) * _DENSE_BYTES * (_SPARSE_BYTE_S - _BYTE_S)
            return self._visits * _VISIT_S[True] + min(size * _SPARSE_BYTE_S, dense_s)
        return self._visits * _VISIT_S[False] + size * _SEQUENTIAL_BYTE_S


def _add_pass(passes: list[int], band: int, most: int) -> bool:
    """Counts a band of sent coefficients (bits); returns whether none was sent more than ``most`` times."""
    for index, sent in enumerate(passes):
        passes[index], band = sent | band, sent & band
        if not band:
            return True
    passes.append(band)
    return len(passes) <= most
