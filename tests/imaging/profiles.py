"""Makes ICC.1 version 2 colour profiles from the primaries and the gamma of a colour space."""

import struct

import numpy as np

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D65_XY = (0.3127, 0.3290)
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3_PRIMARIES = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_PRIMARIES = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
SRGB_CURVE = tuple(
    round(65535 * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4)) for v in (i / 255 for i in range(256))
)


def rgb_profile(primaries: tuple[tuple[float, float], ...], *, gamma: float | None = None) -> bytes:
    """A profile of an RGB space under D65.

    Args:
        primaries: x and y of red, green and blue.
        gamma: of its curve; None is sRGB's.
    """
    white = _xyz(_D65_XY)
    columns = np.stack([_xyz(primary) for primary in primaries], axis=1)
    columns = columns * np.linalg.solve(columns, white)
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    columns = np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD @ columns
    curve = _curve(gamma)
    tags = {f"{name}XYZ": _number(column) for name, column in zip("rgb", columns.T, strict=True)}
    return _profile(b"RGB ", tags | {f"{name}TRC": curve for name in "rgb"})


def grey_profile(gamma: float | None) -> bytes:
    """A profile of greys; None is sRGB's curve."""
    return _profile(b"GRAY", {"kTRC": _curve(gamma)})


def inks_profile(grid: int = 5) -> bytes:
    """A profile of four inks: a table with this number of levels of each."""
    ink = np.linspace(0, 1, grid)
    cyan, magenta, yellow, black = np.meshgrid(ink, ink, ink, ink, indexing="ij")
    light = 100 * (1 - (cyan + magenta + yellow) / 3) * (1 - black)
    lab = np.stack([light * 652.8, (128 + 50 * (magenta - cyan)) * 256, (128 + 50 * (yellow - magenta)) * 256], axis=-1)
    table = b"mft2\0\0\0\0" + bytes((4, 3, grid, 0)) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ends = struct.pack(">HH", 0, 65535)
    table += struct.pack(">HH", 2, 2) + 4 * ends + lab.round().astype(">u2").tobytes() + 3 * ends
    return _profile(b"CMYK", {"A2B0": table}, b"Lab ")


def _xyz(place: tuple[float, float]) -> np.ndarray:
    x, y = place
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _number(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _curve(gamma: float | None) -> bytes:
    if gamma is None:
        return b"curv\0\0\0\0" + struct.pack(f">I{len(SRGB_CURVE)}H", len(SRGB_CURVE), *SRGB_CURVE)
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _profile(space: bytes, tags: dict[str, bytes], connection: bytes = b"XYZ ") -> bytes:
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79)
    tags = {"desc": text, "cprt": b"text\0\0\0\0none\0", "wtpt": _number(_D50), **tags}
    table, content, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name.encode() + struct.pack(">II", at + len(content), len(value))
        content += value.ljust((len(value) + 3) // 4 * 4, b"\0")
    head = struct.pack(">I4sI4s4s4s", at + len(content), b"none", 0x02100000, b"mntr", space, connection)
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(value * 65536) for value in _D50))
    return head.ljust(128, b"\0") + table + content
