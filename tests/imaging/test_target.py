"""Targets are compared by value: a model that is loaded again from the same file has an equal target."""

from dataclasses import asdict, fields

import pytest

from imaging import Target, fast_png

COLOUR = {"height": 32, "width": 48, "color_mode": "RGB", "fit": "cover", "light_on_dark": False}


def test_equal_targets_are_one_key_and_share_one_short_way() -> None:
    one, other = Target(**COLOUR), Target(**COLOUR)
    assert one == other
    assert {one: 1}[other] == 1
    assert fast_png(one) is fast_png(other)
    assert Target(**asdict(one.of_strokes)) == other.of_strokes != other


@pytest.mark.parametrize("name", [item.name for item in fields(Target)])
def test_every_attribute_tells_two_targets_apart(name: str) -> None:
    target = Target(**COLOUR)
    assert Target(**{**asdict(target), name: object()}) != target
