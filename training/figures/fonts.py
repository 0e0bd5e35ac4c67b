"""Chooses fonts for labels in any script from the system's fonts, since matplotlib's own font has no Chinese.

matplotlib takes each letter from the first font in a list that has it. A letter that is in no font would be an empty
box, so a label with such a letter is drawn as the class's number, and a warning names a package of fonts.
"""

import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from matplotlib import font_manager, rc_context
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font

from training.files import one_line

_OWN: Final = "DejaVu Sans"
_BOXES: Final = "last resort"  # a font of matplotlib that draws every letter as a box
_FIRST: Final = (
    "noto sans",
    "noto",
    "source han",
    "wenquanyi",
    "droid",
    "arial unicode",
    "yahei",
    "hiragino",
    "gothic",
)
"""Parts of the names, in lower case, of fonts that are tried first, since they cover whole scripts."""
_CJK: Final = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH")
_INVISIBLE: Final = ("Cc", "Cf", "Zs", "Zl", "Zp")


@contextmanager
def covering(labels: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Within this context, figures use fonts that have every letter of the labels.

    Args:
        labels: of the classes.

    Yields:
        The text to draw for each label: the label itself, or ``class 3`` where no font has one of its letters.
    """
    families, missing = _families({letter for label in labels for letter in label if _is_visible(letter)})
    if missing:
        letters = one_line("".join(sorted(missing)))
        shown = letters if len(letters) <= 20 else f"{letters[:20]}..."
        print(
            f"warning: no font on this machine has the letters {shown} of the labels, so the figures call these "
            f"classes by their number. Fonts that have them: {_package(missing)}",
            file=sys.stderr,
        )
    drawn = tuple(
        # Dollar signs are escaped, since matplotlib reads a text between two of them as a formula.
        f"class {index}" if missing.intersection(label) else " ".join(label.split()).replace("$", r"\$")
        for index, label in enumerate(labels)
    )
    with rc_context({"font.family": families}):
        yield drawn


def _is_visible(letter: str) -> bool:
    return unicodedata.category(letter) not in _INVISIBLE


def _families(letters: set[str]) -> tuple[list[str], set[str]]:
    """(names of fonts that have the letters, letters in no font); reads the system's fonts only where needed."""
    missing = letters - _letters_of(font_manager.findfont(_OWN))
    families = [_OWN]
    if not missing:
        return families, missing
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for file in font_manager.findSystemFonts():  # matplotlib's list lacks fonts that were installed after it was made
        if file not in known:
            try:
                font_manager.fontManager.addfont(file)
            except (OSError, RuntimeError, ValueError):
                continue  # matplotlib cannot use this font
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: (_rank(entry.name), entry.name)):
        if entry.style != "normal" or entry.name in families or _BOXES in entry.name.lower():
            continue
        found = missing & _letters_of(entry.fname)
        # Only the style of the family that matplotlib would draw counts.
        if found and Path(font_manager.findfont(FontProperties(family=[entry.name]))) == Path(entry.fname):
            families.append(entry.name)
            missing = missing - found
            if not missing:
                break
    return families, missing


def _rank(name: str) -> int:
    return next((place for place, part in enumerate(_FIRST) if part in name.lower()), len(_FIRST))


def _letters_of(file: str) -> set[str]:
    try:
        return {chr(code) for code in FT2Font(file).get_charmap()}
    except (OSError, RuntimeError, ValueError):
        return set()  # the font may have been removed after the list was made


def _package(letters: set[str]) -> str:
    scripts = {unicodedata.name(letter, "").partition(" ")[0].partition("-")[0] for letter in letters}
    packages = []
    if scripts & {*_CJK}:
        packages.append("fonts-noto-cjk")
    if scripts - {*_CJK}:
        packages.append("fonts-noto-core")
    return f"apt install {' '.join(packages)} (Debian, Ubuntu), or Noto fonts from fonts.google.com/noto"
