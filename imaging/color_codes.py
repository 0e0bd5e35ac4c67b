"""Colour code points (ITU-T H.273): two numbers with which AVIF, HEIC and PNG declare a colour space without a profile.

Only colour spaces that differ visibly from sRGB are converted. High dynamic range (PQ, HLG) is not converted, because
each screen chooses how much of the range it shows.
"""

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_PRIMARIES = {9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), 12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))}
"""x and y of red, green and blue: BT.2020 and Display P3, both under D65. Other primaries are close to sRGB's."""

_SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_HIGH_DYNAMIC_RANGE = frozenset((16, 18))
_D65 = (0.3127, 0.3290)
_D50 = np.array((0.9642, 1.0, 0.8249))
_BRADFORD = np.array(((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)))
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_HEADER_BYTES, _ENTRY_BYTES = 128, 12


@lru_cache(maxsize=64)
def profile_of(primaries: int, transfer: int) -> bytes:
    """Makes a profile (ICC.1) with the meaning of two code points.

    Args:
        primaries: ``ColourPrimaries``.
        transfer: ``TransferCharacteristics``; if it is neither linear nor a gamma, sRGB's curve is used.

    Returns:
        The profile; empty where the colours are nearly those of sRGB, or of high dynamic range.
    """
    gamma = _GAMMAS.get(transfer)
    if transfer in _HIGH_DYNAMIC_RANGE or (primaries not in _PRIMARIES and gamma is None):
        return b""
    white = _xyz(_D65)
    columns = np.stack([_xyz(place) for place in _PRIMARIES.get(primaries, _SRGB)], axis=1)
    columns *= np.linalg.solve(columns, white)
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    columns = np.linalg.solve(_BRADFORD, np.diag(scale) @ _BRADFORD @ columns)
    curve = _curve(3, _SRGB_CURVE) if gamma is None else _curve(0, (gamma,))
    tags = {b"wtpt": _numbers(_D50)}
    for name, column in zip((b"r", b"g", b"b"), columns.T, strict=True):
        tags |= {name + b"XYZ": _numbers(column), name + b"TRC": curve}
    return _profile(tags)


def _xyz(place: tuple[float, float]) -> NDArray[np.float64]:
    x, y = place
    return np.array((x / y, 1.0, (1 - x - y) / y))


def _fixed(values: NDArray[np.float64] | tuple[float, ...]) -> bytes:
    """As ``s15Fixed16Number``."""
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def _numbers(values: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _curve(function: int, parameters: tuple[float, ...]) -> bytes:
    """A ``parametricCurveType``."""
    return b"para\0\0\0\0" + struct.pack(">HH", function, 0) + _fixed(parameters)


def _profile(tags: dict[bytes, bytes]) -> bytes:
    at = _HEADER_BYTES + 4 + _ENTRY_BYTES * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", at + len(content), len(value))
        content += value
    head = struct.pack(">I4sI4s4s4s", at + len(content), bytes(4), 0x04000000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(_D50)
    return head.ljust(_HEADER_BYTES, b"\0") + table + content
