"""Lists of pixels in JSON, read without a Python object per pixel: same values and shapes as a parser's."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from service.decoding import NumberList, read_json_pixels
from service.errors import MalformedRequestError


def read(text: str, most: int = 1_000_000) -> NDArray[np.uint8]:
    """Reads a list in the middle of a longer text."""
    return read_json_pixels(NumberList(f"7,{text},7".encode(), 2, 2 + len(text)), most, "x")


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=5, max_side=5)), st.sampled_from([None, 1, "\t"])
)
def test_an_array_is_read_as_it_was_written(array: np.ndarray, indent: int | str | None) -> None:
    pixels = read(json.dumps(array.tolist(), indent=indent))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, array)


def test_a_long_list_is_read_in_steps_that_are_cut_at_commas() -> None:
    array = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), np.uint8)
    for value in (array.tolist(), array.ravel().tolist()):
        np.testing.assert_array_equal(read(json.dumps(value)).ravel(), array.ravel())


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=5, max_side=5)), st.sampled_from([None, 1]))
def test_whole_numbers_may_be_written_as_floats(array: np.ndarray, indent: int | None) -> None:
    array.flat[0] = 255
    np.testing.assert_array_equal(read(json.dumps(array.astype(float).tolist(), indent=indent)), array)


def test_a_long_list_may_mix_both_ways_of_writing() -> None:
    array = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
    text = f"[{json.dumps(array.tolist())},{json.dumps(array.astype(float).tolist())}]"
    np.testing.assert_array_equal(read(text), np.stack([array, array]))


@pytest.mark.parametrize("text", ["[0.0,1.0]", "[[1.00],[1]]"])
def test_floats_from_0_to_1_may_be_scaled_pixels_and_are_refused(text: str) -> None:
    with pytest.raises(MalformedRequestError, match=r"only 0\.0 and 1\.0; write pixels from 0 to 1 as 0 to 255"):
        read(text)


def test_black_is_black_in_either_scale() -> None:
    assert read("[0.0,0.0]").tolist() == [0, 0]


def test_an_empty_list_has_no_pixels() -> None:
    assert read("[ ]").shape == (0,)


def test_no_more_is_read_than_there_may_be() -> None:
    assert read("[1,2]", most=2).tolist() == [1, 2]
    with pytest.raises(MalformedRequestError, match="needs 2 bytes, more are here"):
        read("[1,2,3]", most=2)
    with pytest.raises(MalformedRequestError, match="more are here"):
        read("[" + "1," * 200_000 + "x]", most=2)  # refused for its length before the error is reached


@pytest.mark.parametrize(
    "text",
    [
        *("[256]", "[-1]", "[1e1]", "[true]", "[null]", '["1"]', "[{}]", "5", '"x"', "[1", "1]", "[01]"),
        *("[2.5]", "[255.5]", "[256.0]", "[-1.0]", "[.0]", "[2.]", "[2.0.0]", "[2.0 0]", "[2.0e0]"),
        *("[2.0,true]", "[2.0,null]", '[2.0,"1"]', "[2.0,{}]"),
        *("[1 2]", "[[1]2]", "[1[2]]", "[[1] 2]", "[1,]", "[,1]", "[1,,2]", "[1][2]", "[1],[2]", "[[1,2]", "[1,2]]"),
        *("[[],[]]", "[[1],[]]", "[[],[1]]", "[[1],[2,3]]", "[1,[2]]", "[[1],2]", "[[[1,2]],[[1],[2]]]", ""),
        *("[18446744073709551616]", "[" * 9 + "1" + "]" * 9, "[" + "9" * 200_000 + "]", "[" + " " * 200_000 + "1]"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequestError, match="x: its data"):
        read(text)
