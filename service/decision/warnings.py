"""Warnings about a prediction: how the picture was changed, and what may be wrong with it.

`docs/api.md` describes the rules. A picture that already is in the form of the model's input gets no warning.
"""

from typing import NamedTuple

from imaging import Observation

_CUTS = ("cover", "shortest-edge")
_EXTREME = 2.0


class PictureWarning(NamedTuple):
    """One warning.

    Attributes:
        code: name of the rule.
        detail: the warning as text.
    """

    code: str
    detail: str


def warn(seen: Observation) -> list[PictureWarning]:
    """Makes the warnings for a picture.

    Args:
        seen: the observation about the picture.

    Returns:
        The warnings, in a fixed order; empty where there are none.
    """
    target, warnings = seen.target, []
    if seen.is_blank:
        warnings.append(
            PictureWarning("blank", "the picture is nearly blank: its pixels differ by at most 16 of 255 levels")
        )
    if seen.is_inverted:
        warnings.append(
            PictureWarning("inverted", "dark strokes on a light ground were inverted, as the model expects")
        )
    if not target.centers_strokes:
        warnings += _shape_warnings(seen)
    if seen.is_transparent:
        warnings.append(PictureWarning("transparent", "the picture has transparent parts, which were laid on white"))
    if seen.orientation != 1:
        warnings.append(
            PictureWarning("turned", f"the picture was turned upright, by its file's orientation {seen.orientation}")
        )
    if seen.has_profile:
        warnings.append(PictureWarning("color-profile", "the picture's colour profile was converted to sRGB"))
    return warnings


def _shape_warnings(seen: Observation) -> list[PictureWarning]:
    target, warnings = seen.target, []
    size = f"{seen.width} x {seen.height} pixels"
    across, down = target.width / seen.width, target.height / seen.height
    if target.fit == "stretch":
        scale = max(across, down)
    elif target.fit == "contain":
        scale = min(across, down)
    else:
        left, top, right, bottom = seen.box
        scale = max(target.width / (right - left), target.height / (bottom - top))
    if scale > 1.001:
        warnings.append(
            PictureWarning(
                "upscaled", f"the picture has {size} and was enlarged for an input of {target.width} x {target.height}"
            )
        )
    if max(across, down) / min(across, down) >= _EXTREME:
        if target.fit in _CUTS:
            left, top, right, bottom = seen.box
            share = (right - left) * (bottom - top) / (seen.width * seen.height)
            used = f"{share:.0%}" if share >= 0.005 else "less than 1%"
            text = f"of {size} only the middle was used, {used} of the picture"
            warnings.append(PictureWarning("cropped", text))
        elif target.fit == "stretch":
            text = f"{size} were stretched to {target.width} x {target.height}, of other proportions"
            warnings.append(PictureWarning("stretched", text))
    return warnings
