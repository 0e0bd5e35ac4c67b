"""Deflate streams (RFC 1951) of empty blocks, each of which still needs its tables to be built."""

import zlib

import numpy as np

_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


def _bits(value: int, count: int) -> list[int]:
    return [value >> place & 1 for place in range(count)]


def _empty_block() -> list[int]:
    """The bits of the shortest block with its own tables: one code, for the end of the block."""
    lengths = {18: 1, 1: 1}  # code lengths of the two symbols that the tables are written with
    last = max(_ORDER.index(symbol) for symbol in lengths) + 1
    bits = [0, *_bits(2, 2), *_bits(0, 5), *_bits(0, 5), *_bits(last - 4, 4)]
    for symbol in _ORDER[:last]:
        bits += _bits(lengths.get(symbol, 0), 3)
    # Codes in order of their symbols: 1 is `0`, 18 (11 to 138 zeros) is `1`. 256 zeros, then a length of 1 twice.
    bits += [1, *_bits(138 - 11, 7), 1, *_bits(118 - 11, 7), 0, 0]
    return [*bits, 0]


def slow_stream(data: bytes, size: int) -> bytes:
    """A zlib stream of ``data``, with empty blocks at its beginning that fill it up to ``size`` bytes."""
    plain = zlib.compress(data, 1)
    block = _empty_block()
    count = max(0, size - len(plain) - 6) * 8 // len(block)
    bits = np.concatenate((np.tile(np.array(block, np.uint8), count), np.zeros(3, np.uint8)))  # and a stored block
    bits = np.concatenate((bits, np.zeros(-len(bits) % 8, np.uint8)))
    return plain[:2] + np.packbits(bits, bitorder="little").tobytes() + b"\0\0\xff\xff" + plain[2:]
