"""The cost of decoding a BMP, which depends on its pixels and runs."""

from imaging.bounds.cost import Cost
from imaging.formats.bmp import layout_of, profile_of
from imaging.formats.bmp_runs import Codes

_OPEN_S, _PIXEL_S, _FIELD_PIXEL_S = 60e-6, 4e-9, 40e-9
_RUNS_S, _PAIR_S, _ESCAPE_S = 150e-6, 60e-9, 700e-9


def measure_bmp(data: bytes) -> Cost:
    """Estimates the cost of decoding a BMP.

    Args:
        data: the whole file.

    Raises:
        UnreadableError: the header is broken, or its runs are interrupted more often than any encoder does.
    """
    layout = layout_of(data)
    if layout.has_runs and layout.width * layout.height:
        codes = Codes(memoryview(data)[layout.offset :], layout.width, layout.height, layout.bits)
        work_s, pixel_s = _RUNS_S + codes.count * _PAIR_S + len(codes.escapes) * _ESCAPE_S, _PIXEL_S
    else:
        work_s, pixel_s = _OPEN_S, _FIELD_PIXEL_S if layout.has_bit_fields else _PIXEL_S
    return Cost(data, work_s, pixel_s, profile=profile_of(data, layout))
