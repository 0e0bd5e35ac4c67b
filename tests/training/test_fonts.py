"""Labels in any script are drawn, or a warning names the missing letters; there are no empty boxes."""

from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager, rcParams
from matplotlib.figure import Figure

from training.figures.fonts import _package, covering

UNKNOWN = chr(0x10ABC0)  # for private use: no font has it


def write_font(path: Path, letter: str) -> None:
    """Writes a font with one letter, which is a square."""
    pen = TTGlyphPen(None)
    for place in ((0, 0), (0, 700), (700, 700), (700, 0)):
        (pen.moveTo if place == (0, 0) else pen.lineTo)(place)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "one"])
    builder.setupCharacterMap({ord(letter): "one"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "one": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (700, 0), "one": (700, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "One Letter-Font", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


def draw(text: str) -> None:
    figure = Figure()
    figure.suptitle(text)
    figure.canvas.draw()  # a missing glyph would give a warning, which is an error in tests


def test_letters_that_no_font_has_become_the_number_of_the_class(capsys: pytest.CaptureFixture[str]) -> None:
    with covering(["cat", f"dog {UNKNOWN}", "two\nlines"]) as labels:
        assert labels == ("cat", "class 1", "two lines")
        for label in labels:
            draw(label)
    assert f"no font on this machine has the letters {'?'} of the labels" in capsys.readouterr().err


def test_a_font_of_the_system_is_used_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_font(tmp_path / "one.ttf", UNKNOWN)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    monkeypatch.setattr(
        font_manager, "findSystemFonts", lambda: [str(tmp_path / "one.ttf"), str(tmp_path / "gone.ttf")]
    )
    before = list(rcParams["font.family"])
    with covering([f"{UNKNOWN} cat"]) as labels:
        assert labels == (f"{UNKNOWN} cat",)
        assert rcParams["font.family"] == ["DejaVu Sans", "One Letter-Font"]
        draw(labels[0])
    assert rcParams["font.family"] == before
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("label", ["$5 or $10", "a_b^2", "50 %", "{", "\\frac", "ca\tt"])
def test_labels_are_no_formulas(label: str) -> None:
    with covering([label]) as (drawn,):
        draw(drawn)
        draw(f"{drawn}\n({drawn})")


@pytest.mark.parametrize(
    ("letters", "packages"),
    [("猫犬", "fonts-noto-cjk"), ("ねこ", "fonts-noto-cjk"), ("고양이", "fonts-noto-cjk"), ("แมว", "fonts-noto-core")],
)
def test_a_package_is_named(letters: str, packages: str) -> None:
    assert f"apt install {packages} " in _package(set(letters))
