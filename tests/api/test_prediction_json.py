import json
from typing import Any

import numpy as np
import pytest

from service.api.json_writing import STEP_NUMBERS, in_steps, write
from service.api.plain_answer import write_plain
from service.api.prediction_json import Picked, write_predictions

LABELS = ("plain", 'a "quoted" one', "100 %b", "naïve café", "back\\slash")


@pytest.fixture
def probabilities() -> np.ndarray:
    scores = np.random.default_rng(0).random((3, len(LABELS)), dtype=np.float32) ** 20
    return scores / scores.sum(axis=1, keepdims=True)


def test_it_says_what_a_document_of_dictionaries_would(probabilities: np.ndarray) -> None:
    document = json.loads(write_predictions("m", "7", LABELS, probabilities, Picked()))
    assert list(document) == ["model", "version", "predictions"]
    assert (document["model"], document["version"]) == ("m", "7")
    for row, prediction in zip(probabilities, document["predictions"], strict=True):
        index = int(row.argmax())
        assert list(prediction) == ["label", "index", "probability", "probabilities"]
        assert (prediction["label"], prediction["index"]) == (LABELS[index], index)
        assert tuple(prediction["probabilities"]) == LABELS
        np.testing.assert_array_equal(np.array([*prediction["probabilities"].values()], np.float32), row)
        assert np.float32(prediction["probability"]) == row[index]


@pytest.mark.parametrize("filename", [None, "cat.png", 'a "quoted" 100 %b \\ naïve.png'])
@pytest.mark.parametrize("labels", [LABELS, ("%", '"index":%b', '"}]}', "0", "")])
def test_the_short_way_says_the_same(probabilities: np.ndarray, labels: tuple[str, ...], filename: str | None) -> None:
    for row in probabilities:
        written = write_plain("m%b", "7", labels, row[np.newaxis], filename)
        same = write_predictions("m%b", "7", labels, row[np.newaxis], Picked(), filenames=[filename])
        assert json.loads(written, object_pairs_hook=list) == json.loads(same, object_pairs_hook=list)


def test_the_top_is_in_order_and_the_first_of_equals_comes_first() -> None:
    rows = np.array([[0.1, 0.3, 0.3, 0.25, 0.05]], np.float32)
    document = json.loads(write_predictions("m", "7", LABELS, rows, Picked(3)))
    top = document["predictions"][0]["top"]
    assert [(entry["label"], entry["index"]) for entry in top] == [(LABELS[i], i) for i in (1, 2, 3)]
    assert [np.float32(entry["probability"]) for entry in top] == [rows[0][i] for i in (1, 2, 3)]


def test_more_labels_than_there_are_is_all_of_them(probabilities: np.ndarray) -> None:
    document = json.loads(write_predictions("m", "7", LABELS, probabilities, Picked(99)))
    assert [len(prediction["top"]) for prediction in document["predictions"]] == [len(LABELS)] * 3


def test_a_number_is_the_shortest_that_is_the_same_float32() -> None:
    assert b'"probability":0.1,' in write_predictions(
        "m", "1", ("a", "b"), np.array([[0.1, 0.05]], np.float32), Picked()
    )


def test_a_long_answer_is_written_in_steps_and_is_the_same() -> None:
    labels = tuple(f"class {number}" for number in range(1000))
    rows = np.random.default_rng(0).random((50, len(labels)), np.float32)
    document = json.loads(write_predictions("m", "7", labels, rows, Picked(2)))
    one_by_one = [json.loads(write_predictions("m", "7", labels, row[np.newaxis], Picked(2))) for row in rows]
    assert document["predictions"] == [only["predictions"][0] for only in one_by_one]


@pytest.mark.parametrize("count", [0, 1, STEP_NUMBERS, STEP_NUMBERS + 1, 3 * STEP_NUMBERS])
def test_a_long_list_is_written_in_steps_and_is_the_same(count: int) -> None:
    numbers = np.arange(count, dtype=np.float32)
    texts = [f"{number}:a" for number in range(count)]
    document = json.loads(write({"numbers": in_steps(numbers), "texts": in_steps(texts)}))
    assert document == {"numbers": numbers.tolist(), "texts": texts}


def test_labels_of_several_are_those_of_half_or_more_and_none_is_said_where_there_is_none() -> None:
    rows = np.array([[0.5, 0.1, 0.9, 0.49, 0.7], [0.49, 0.1, 0.2, 0.3, 0.4]], np.float32)
    document = json.loads(write_predictions("m", "7", LABELS, rows, Picked(2), multi_label=True))
    several, none = document["predictions"]
    assert several["labels"] == [LABELS[index] for index in (2, 4, 0)]
    assert (several["label"], several["index"]) == (LABELS[2], 2)
    assert none["labels"] == []
    assert none["label"] is none["index"] is none["probability"] is None
    assert [entry["index"] for entry in none["top"]] == [0, 4]
    assert np.float32(none["probabilities"][LABELS[0]]) == rows[1][0]


@pytest.mark.parametrize("count", [3, 50])
def test_names_and_failures_keep_their_places_however_long_the_answer_is(count: int) -> None:
    labels = tuple(f"class {number}" for number in range(1000))
    rows = np.random.default_rng(0).random((count, len(labels)), np.float32)
    names = [f"{place}.png" if place % 2 else None for place in range(count)]
    failures: dict[int, dict[str, Any]] = {place: {"error": {"status": 422}} for place in (0, 2, 3, count + 3)}
    plain = json.loads(write_predictions("m", "7", labels, rows, Picked()))["predictions"]
    written = write_predictions("m", "7", labels, rows, Picked(), filenames=names, failures=failures)
    merged = json.loads(written)["predictions"]
    assert {place: entry for place, entry in enumerate(merged) if "error" in entry} == failures
    good = [entry for entry in merged if "error" not in entry]
    assert [entry.pop("file", None) for entry in good] == names
    assert good == plain
