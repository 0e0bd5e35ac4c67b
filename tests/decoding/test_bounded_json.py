"""JSON whose long strings and lists are cut out before parsing: same values as a parser's, with few objects."""

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.decoding import BoundedJson, LongText, NumberList
from service.errors import MalformedRequestError

LONG = 300_000
MEMBERS = st.dictionaries(
    st.sampled_from(["data", "images", 'x"data', "a\\", "é"]), st.deferred(lambda: VALUES), max_size=4
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-300, 300),
    st.text(max_size=8),
    st.sampled_from(["A" * 2000, '"' * 2000, "\\" * 100 + "A" * 2000, "é\n" * 1000]),
    st.lists(st.integers(0, 255), max_size=8),
    st.lists(st.deferred(lambda: VALUES), max_size=3),
    st.deferred(lambda: MEMBERS),
)


def whole(value: Any) -> Any:
    """A value in which another parser has filled in the parts that were cut out."""
    if isinstance(value, LongText):
        return json.loads(b'"%b"' % value.text[value.begin : value.end])
    if isinstance(value, NumberList):
        return json.loads(value.text[value.begin : value.end])
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MEMBERS, st.sampled_from([None, 1]), st.booleans())
def test_nothing_is_lost(members: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    document = members | {"padding": " " * LONG}  # short texts are not cut at all
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    bounded = BoundedJson(text, "data")
    parsed = bounded.parse()
    assert whole(parsed) == document
    assert bounded.repeated_member(parsed) is None


@pytest.mark.parametrize(
    "value",
    ['[1,"a"]', '[[1],"a"]', '[{"a":1}]', '[1,{"a":1}]', '[[1],{"data":[1]}]', '["a",1]', "[[]]", "[]", "[ ]", "1"],
)
def test_a_list_of_other_things_is_parsed_as_ever(value: str) -> None:
    document = BoundedJson(f'{{"data": {value}, "a": "b"}}'.encode(), "data").parse()
    assert whole(document) == {"data": json.loads(value), "a": "b"}


def test_long_strings_and_lists_of_numbers_are_cut_out_and_the_rest_is_counted() -> None:
    text = b'{"images":["%b","short"],"data":[%b]}' % (b"A" * LONG, b"1," * LONG + b"1")
    bounded = BoundedJson(text, "data")
    assert not bounded.is_long(10)
    assert not bounded.has_more(b",[{", 6)
    assert bounded.has_more(b",[{", 3)
    document = bounded.parse()
    assert isinstance(document["images"][0], LongText)
    assert document["images"][1] == "short"
    assert "".join(document["images"][0].steps()) == "A" * LONG
    assert isinstance(document["data"], NumberList)


def test_escapes_are_read_wherever_a_step_ends() -> None:
    for shift in range(8):
        content = "A" * shift + "\\u0041\\n" * 20_000
        text = f'{{"images":["{content}"],"padding":"{"A" * LONG}"}}'
        (long,) = BoundedJson(text.encode()).parse()["images"]
        assert "".join(long.steps()) == json.loads(f'"{content}"')


@pytest.mark.parametrize("size", [10, LONG])
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (b'{"images": ["%b"', "not JSON"),
        (b'{"images": ["%b]}', "not JSON"),
        (b'{"a": NaN, "images": ["%b"]}', "not JSON"),
        (b'{"a": "\\ud800", "images": ["%b"]}', "not JSON"),
        (b'{"a": "\xff", "images": ["%b"]}', "not JSON: it is not UTF-8"),
        (b'{"images": ["%b"] "a"}', "not JSON"),
        (b'\xff\xfe{"images": ["%b"]}', "not JSON: it is not UTF-8"),
    ],
)
def test_what_is_no_json_is_refused_in_plain_words(broken: bytes, message: str, size: int) -> None:
    with pytest.raises(MalformedRequestError, match=message) as refusal:
        BoundedJson(broken % (b"A" * size)).parse()
    assert len(str(refusal.value)) < 200
    assert "surrogates not allowed" not in str(refusal.value)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert BoundedJson(b'\xef\xbb\xbf{"a": 1}').parse() == {"a": 1}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b'{"a": 1, "a": 2}', "a"),
        (b'{"a": {"b": 1, "b": 2}}', "b"),
        (b'{"a": 1, "\\u0061": 2}', "a"),
        (b'{"a": "b", "b": "a"}', None),
        (b'{"a": "\\"a\\""}', None),
    ],
)
def test_a_member_that_is_given_twice_is_found(text: bytes, name: str | None) -> None:
    bounded = BoundedJson(text)
    assert bounded.repeated_member(bounded.parse()) == name


def test_the_search_for_repeated_members_takes_time_in_proportion_to_their_number() -> None:
    members = b",".join(b'"%x":1' % number for number in range(30_000))
    started = time.process_time()
    bounded = BoundedJson(b'{%b,"x":"\\""}' % members)
    assert bounded.repeated_member(bounded.parse()) is None
    assert time.process_time() - started < 1  # 10 s where each name is counted in the list of all


def test_a_name_of_a_member_that_is_too_long_is_refused() -> None:
    with pytest.raises(MalformedRequestError, match="name is longer"):
        BoundedJson(b'{"%b": 1}' % (b"a" * LONG)).parse()


def check(bounded: BoundedJson) -> None:
    bounded.repeated_member(bounded.parse())


@pytest.mark.parametrize("padding", [1, LONG])
@pytest.mark.parametrize("depth", [65, 900, 1000, 1010])
def test_what_is_nested_too_deeply_is_refused(depth: int, padding: int) -> None:
    text = b'{"a": %b%b, "b": "%b"}' % (b"[" * depth, b"]" * depth, b" " * padding)
    with pytest.raises(MalformedRequestError, match="nested deeper than 64"):
        check(BoundedJson(text))


def test_a_text_that_is_made_to_cost_much_ends_soon() -> None:
    size = 4_000_000
    for text in (
        b'{"a": [' + b'"data":[1,' * (size // 10),
        b'{"a": [' + b'"data",' * (size // 7),
        b'{"a": "' + b'\\"' * (size // 2) + b'"}',
    ):
        started = time.process_time()
        bounded = BoundedJson(text, "data")
        assert bounded.has_more(b",[{", 3000) or bounded.is_long(100)
        assert time.process_time() - started < 0.5  # minutes without the limits
