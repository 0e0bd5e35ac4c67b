import json

import numpy as np
import pytest

from service.api.json_writing import STEP_NUMBERS, in_steps, write
from service.api.prediction_json import write_predictions

LABELS = ("plain", 'a "quoted" one', "100 %b", "naïve café", "back\\slash")


@pytest.fixture
def probabilities() -> np.ndarray:
    scores = np.random.default_rng(0).random((3, len(LABELS)), dtype=np.float32) ** 20
    return scores / scores.sum(axis=1, keepdims=True)


def test_it_says_what_a_document_of_dictionaries_would(probabilities: np.ndarray) -> None:
    document = json.loads(write_predictions("m", "7", LABELS, probabilities, None))
    assert list(document) == ["model", "version", "predictions"]
    assert (document["model"], document["version"]) == ("m", "7")
    for row, prediction in zip(probabilities, document["predictions"], strict=True):
        index = int(row.argmax())
        assert list(prediction) == ["label", "index", "probability", "probabilities"]
        assert (prediction["label"], prediction["index"]) == (LABELS[index], index)
        assert tuple(prediction["probabilities"]) == LABELS
        np.testing.assert_array_equal(np.array([*prediction["probabilities"].values()], np.float32), row)
        assert np.float32(prediction["probability"]) == row[index]


def test_the_top_is_in_order_and_the_first_of_equals_comes_first() -> None:
    rows = np.array([[0.1, 0.3, 0.3, 0.25, 0.05]], np.float32)
    document = json.loads(write_predictions("m", "7", LABELS, rows, 3))
    top = document["predictions"][0]["top"]
    assert [(entry["label"], entry["index"]) for entry in top] == [(LABELS[i], i) for i in (1, 2, 3)]
    assert [np.float32(entry["probability"]) for entry in top] == [rows[0][i] for i in (1, 2, 3)]


def test_more_labels_than_there_are_is_all_of_them(probabilities: np.ndarray) -> None:
    document = json.loads(write_predictions("m", "7", LABELS, probabilities, 99))
    assert [len(prediction["top"]) for prediction in document["predictions"]] == [len(LABELS)] * 3


def test_a_number_is_the_shortest_that_is_the_same_float32() -> None:
    assert b'"probability":0.1,' in write_predictions("m", "1", ("a", "b"), np.array([[0.1, 0.05]], np.float32), None)


def test_a_long_answer_is_written_in_steps_and_is_the_same() -> None:
    labels = tuple(f"class {number}" for number in range(1000))
    rows = np.random.default_rng(0).random((50, len(labels)), np.float32)
    document = json.loads(write_predictions("m", "7", labels, rows, 2))
    one_by_one = [json.loads(write_predictions("m", "7", labels, row[np.newaxis], 2)) for row in rows]
    assert document["predictions"] == [only["predictions"][0] for only in one_by_one]


@pytest.mark.parametrize("count", [0, 1, STEP_NUMBERS, STEP_NUMBERS + 1, 3 * STEP_NUMBERS])
def test_a_long_list_is_written_in_steps_and_is_the_same(count: int) -> None:
    numbers = np.arange(count, dtype=np.float32)
    texts = [f"{number}:a" for number in range(count)]
    document = json.loads(write({"numbers": in_steps(numbers), "texts": in_steps(texts)}))
    assert document == {"numbers": numbers.tolist(), "texts": texts}
