"""Reads the fields of a bitstream's header, which can begin at any bit."""

from imaging.errors import UnreadableError

_MOST_ZEROS = 32


class Bits:
    """A position in a string of bits, most significant bit first.

    Args:
        data: the bytes of the header; further bytes may follow.
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits, as an unsigned number.

        Raises:
            UnreadableError: fewer bits are left.
        """
        self._left -= count
        if self._left < 0:
            raise UnreadableError("its header is broken (the bitstream ends within it)")
        return self._value >> self._left & (1 << count) - 1

    def take_exp_golomb(self) -> int:
        """An unsigned Exp-Golomb code: ``ue(v)`` of H.265, ``uvlc()`` of AV1.

        Raises:
            UnreadableError: it is longer than 32 bits.
        """
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise UnreadableError("its header is broken (a number has too many bits)")
        return (1 << zeros) - 1 + self.take(zeros)
