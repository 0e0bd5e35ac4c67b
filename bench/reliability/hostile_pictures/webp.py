"""WebP files that need as much decoding work as their chunks and bit streams permit."""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.reliability.hostile_pictures.picture import HostileFile, encode, noise, photo

_CODE_ORDER = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
_ONE_SYMBOL = [1, 0, 0, 0]  # a code of the symbol 0 alone
_CACHE_BITS = 11
_MOST_GROUPS = 1 << 16
_Bits = list[int]


def honest(width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """A file of each coding."""
    picture = photo(width, height)
    yield "lossy", encode(picture, "WEBP", quality=90)
    yield "lossless", encode(picture, "WEBP", lossless=True, method=2)
    alpha = picture.copy()
    alpha.putalpha(photo(width, height, "L"))
    yield "lossy with alpha", encode(alpha, "WEBP", quality=90)


def hostile(width: int, height: int) -> Iterator[HostileFile]:
    """Every kind of slow file."""
    whole = encode(photo(width, height), "WEBP", quality=90)
    image = whole[12:]
    yield HostileFile("noise", "lossy", encode(noise(width, height), "WEBP", quality=100, method=0))
    yield HostileFile("noise, lossless", "lossless", encode(noise(width, height), "WEBP", lossless=True, method=0))
    groups = min(_MOST_GROUPS, -(-width // 4) * -(-height // 4))
    yield HostileFile(
        f"{groups} groups of codes", "lossless", _riff(chunk(b"VP8L", _grouped(width, height, groups, _ONE_SYMBOL * 5)))
    )
    for some in (groups // 16, groups):
        stream = _grouped(width, height, some, _largest_codes(), _CACHE_BITS)
        yield HostileFile(f"{some} groups of large codes", "lossless", _riff(chunk(b"VP8L", stream)))
    alpha = _grouped(width, height, groups, _ONE_SYMBOL * 5, has_header=False)
    extended = _extended(width, height, 0x10)
    yield HostileFile("alpha of many groups", "lossy with alpha", _riff(extended, chunk(b"ALPH", b"\1" + alpha), image))
    yield HostileFile("a million chunks", "lossy", _riff(extended, chunk(b"abcd", b"") * 1_000_000, image))
    yield HostileFile("200 chunks", "lossy", _riff(extended, chunk(b"abcd", b"") * 200, image))
    yield HostileFile(
        "10 MB of EXIF", "lossy", _riff(_extended(width, height, 8), image, chunk(b"EXIF", bytes(10 << 20)))
    )
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, tag) for tag in range(5000))
    exif = b"MM\0*\0\0\0\x08" + struct.pack(">H", 5000) + entries
    yield HostileFile("EXIF of 5,000 entries", "lossy", _riff(_extended(width, height, 8), image, chunk(b"EXIF", exif)))
    small = struct.pack("<3s3s3s3s3sB", bytes(3), bytes(3), bytes(3), bytes(3), bytes(3), 0)
    dot = encode(Image.new("RGB", (1, 1)), "WEBP")[12:]
    frames = chunk(b"ANIM", bytes(6)) + chunk(b"ANMF", small + dot) * 5000
    yield HostileFile("5,000 frames of a pixel", "lossy", _riff(_extended(width, height, 2), frames))


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk, padded."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _riff(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _extended(width: int, height: int, flags: int) -> bytes:
    return chunk(
        b"VP8X", struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )


def _grouped(
    width: int, height: int, groups: int, codes: _Bits, cache_bits: int = 0, *, has_header: bool = True
) -> bytes:
    """A lossless stream (RFC 9649, 3) in which blocks of 4 x 4 pixels take turns in groups of prefix codes."""
    head = _number(0x2F, 8) + _number(width - 1, 14) + _number(height - 1, 14) + _number(0, 4) if has_header else []
    head += [0, *([1, *_number(cache_bits, 4)] if cache_bits else [0]), 1, *_number(0, 3), 0]
    of_bytes = _prefix_code([8] * 256 + [0] * 24)
    head += of_bytes + _prefix_code([8] * 256) + _ONE_SYMBOL * 3
    words = np.array(list(_words(dict.fromkeys(range(256), 8)).values()), np.uint8)
    numbers = np.arange(-(-width // 4) * -(-height // 4)) % groups
    body = np.concatenate((words[numbers & 255], words[numbers >> 8]), axis=1).ravel()
    parts: list[NDArray[np.uint8]] = [np.array(head, np.uint8), body, np.tile(np.array(codes, np.uint8), groups)]
    padding = np.zeros(
        8 * (width * height // 2 if cache_bits else 8), np.uint8
    )  # the pixels: the first word of each code
    return np.packbits(np.concatenate((*parts, padding)), bitorder="little").tobytes()


def _largest_codes() -> _Bits:
    """Prefix codes with the largest possible number of symbols, with the color cache."""
    return _prefix_code(_full(280 + (1 << _CACHE_BITS))) + _prefix_code(_full(256)) * 3 + _prefix_code(_full(40))


def _full(symbols: int) -> list[int]:
    """Lengths of a complete code of so many symbols."""
    longest = (symbols - 1).bit_length()
    shorter = (1 << longest) - symbols
    return [longest - 1] * shorter + [longest] * (symbols - shorter)


def _number(value: int, bits: int) -> _Bits:
    return [value >> place & 1 for place in range(bits)]


def _words(lengths: dict[int, int]) -> dict[int, _Bits]:
    """The words of a canonical code."""
    word = last = 0
    words = {}
    for symbol, length in sorted(lengths.items(), key=lambda item: (item[1], item[0])):
        word <<= length - last
        last = length
        words[symbol] = _number(word, length)[::-1]
        word += 1
    return words


def _prefix_code(lengths: list[int]) -> _Bits:
    """A code's lengths in the form of the stream, with repeats of lengths (16) and of zeros (17, 18)."""
    tokens = _tokens(lengths)
    used = sorted({token[0] for token in tokens}, key=lambda symbol: -sum(token[0] == symbol for token in tokens))
    of_lengths = {symbol: min(place + 1, max(1, len(used) - 1)) for place, symbol in enumerate(used)}
    if len(used) == 1:
        of_lengths[(used[0] + 1) % 16] = 1
    last = max(4, 1 + max(_CODE_ORDER.index(symbol) for symbol in of_lengths))
    bits = [0, *_number(last - 4, 4)]
    for symbol in _CODE_ORDER[:last]:
        bits += _number(of_lengths.get(symbol, 0), 3)
    bits.append(0)
    words = _words(of_lengths)
    for symbol, extra, extra_bits in tokens:
        bits += words[symbol] + _number(extra, extra_bits)
    return bits


def _tokens(lengths: list[int]) -> list[tuple[int, int, int]]:
    tokens: list[tuple[int, int, int]] = []
    at, previous = 0, 8
    while at < len(lengths):
        value, run = lengths[at], 1
        while at + run < len(lengths) and lengths[at + run] == value:
            run += 1
        at += run
        if value and value != previous:
            tokens.append((value, 0, 0))
            run, previous = run - 1, value
        most, symbol, bits = (138, 18, 7) if not value else (6, 16, 2)
        least = 11 if not value else 3
        while run >= least:
            part = min(most, run)
            tokens.append((symbol, part - least, bits))
            run -= part
        tokens += [(value, 0, 0)] * run
    return tokens
