"""Preprocessing in numbers, as `--preprocessing` takes it, and the crops that `--resize` takes."""

import pytest

from contract import LEAST_CROP_FRACTION
from training.errors import ImportRefusedError
from training.importing.preprocessing import Preprocessing
from training.importing.resizing import Resizing


@pytest.mark.parametrize(
    ("text", "mean", "std", "order"),
    [
        ("mean=0.5,std=0.25", (127.5,), (63.75,), "RGB"),
        ("mean=0.5,0.4,0.3,std=0.2,0.2,0.2,order=BGR", (127.5, 102, 76.5), (51, 51, 51), "BGR"),
        ("raw,order=BGR", (0,), (1,), "BGR"),
        ("unit,twice", (0,), (255,), "RGB"),
        ("unit,order=BGR,twice", (0,), (255,), "BGR"),
        ("unit,twice,order=BGR", (0,), (255,), "BGR"),
        ("mean=103.9,116.8,123.7,std=1,scale=255,order=BGR", (103.9, 116.8, 123.7), (1,), "BGR"),
    ],
)
def test_preprocessing_in_numbers(text: str, mean: tuple[float, ...], std: tuple[float, ...], order: str) -> None:
    rule = Preprocessing.parse(text)
    assert rule.mean == pytest.approx(mean)
    assert rule.std == pytest.approx(std)
    assert rule.order == order


@pytest.mark.parametrize(
    "text",
    [
        "mean=x",
        "mean=1,std=0",
        "mode=torch",
        "mean=120",
        "order=RBG",
        "std=0.5,std=0.5",
        "raw,mean=0",
        "caffe,order=BGR",
        "unit,twice,twice",
        "measured,twice",
    ],
)
def test_preprocessing_that_cannot_be(text: str) -> None:
    with pytest.raises(ImportRefusedError):
        Preprocessing.parse(text)


@pytest.mark.parametrize("rule", ["shortest-edge:2241", "stretch:3000"])
def test_a_crop_that_keeps_very_little_is_refused(rule: str) -> None:
    with pytest.raises(ImportRefusedError, match=r"at least 0\.1"):
        Resizing.parse(rule).check_input(224, 224)


def test_a_crop_of_a_tenth_is_read_by_the_contract() -> None:
    Resizing.parse("shortest-edge:2240").check_input(224, 224)
    assert Resizing.parse("shortest-edge:2240").crop_fraction(224, 224) >= LEAST_CROP_FRACTION
