"""The Accept header: the media type of the answer, and 406 where none is accepted."""

import httpx
import pytest

from service.api.accept import choose_media_type
from service.errors import MalformedRequestError, NotAcceptableError

JSON, NPY = b"application/json", b"application/x-npy"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("Application/JSON; charset=utf-8", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("application/x-npy", NPY),
        ("APPLICATION/X-NPY", NPY),
        ("application/x-npy, */*", NPY),
        ("application/x-npy, application/json", NPY),
        ("application/json, application/x-npy", JSON),
        ("application/json;q=0.5, application/x-npy", NPY),
        ("application/json, application/x-npy;q=0.9", JSON),
        ("application/x-npy;q=0.1, application/json;q=0.2", JSON),
        ("*/*;q=0.1, application/json;q=0", NPY),
        ("application/*;q=0.3, application/x-npy;q=0", JSON),
        ("text/html, application/x-npy ; q=0.001", NPY),
    ],
)
def test_the_kind_with_the_highest_weight_is_chosen(accept: str, chosen: bytes) -> None:
    assert choose_media_type(accept.encode(), (JSON, NPY)) == chosen


@pytest.mark.parametrize(
    "accept",
    ["text/html", "image/*", "application/json;q=0", "*/*;q=0", "application/jsonp", ",", "application/x-npy;q=0"],
)
def test_none_of_them_is_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="answers are application/json or application/x-npy"):
        choose_media_type(accept.encode(), (JSON, NPY))


@pytest.mark.parametrize("accept", ["a/b," * 100, "application/x-npy;q=high", "application/x-npy;q=2", "*/*;q=nan"])
def test_a_header_that_cannot_be_is_malformed(accept: str) -> None:
    with pytest.raises(MalformedRequestError, match="Accept"):
        choose_media_type(accept.encode(), (JSON, NPY))


def test_the_answer_is_406_before_the_body_is_looked_at(client: httpx.Client) -> None:
    answer = client.post("/predict", content=b"no picture", headers={"Accept": "text/html"})
    assert answer.status_code == 406
    assert answer.json()["title"] == "Not Acceptable"


@pytest.mark.parametrize("path", ["/predict", "/preprocess"])
@pytest.mark.parametrize("lines", [("application/x-npy", "text/html"), ("text/html", "application/x-npy")])
def test_lines_of_one_header_are_one_list(client: httpx.Client, cat: bytes, path: str, lines: tuple[str, ...]) -> None:
    asked = [("Content-Type", "image/png"), *(("Accept", line) for line in lines)]
    answer = client.post(path, content=cat, headers=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-npy")
