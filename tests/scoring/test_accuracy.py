"""Accuracy of predictions, where the folder of each picture is its label."""

from unicodedata import normalize

from service.scoring.accuracy import Confusion, Truth


def test_a_class_may_have_the_name_of_the_column_of_true_labels() -> None:
    confusion = Confusion([[0, 0, 3], [0, 1, 1], [1, 1, 2]])
    assert confusion.rows(["lie", "truth"]) == [["truth", "lie", "truth"], ["lie", "3", "1"], ["truth", "0", "2"]]


def test_labels_that_were_never_predicted_or_never_true_have_a_row_and_a_column() -> None:
    confusion = Confusion([[0, 0, 3], [1, 0, 1], [1, 3, 1]])
    rows = [["truth", "a", "b", "d"], ["a", "3", "0", "0"], ["b", "1", "0", "1"], ["d", "0", "0", "0"]]
    assert confusion.rows(["a", "b", "c", "d"]) == rows


def test_accents_of_a_folder_may_be_characters_of_their_own() -> None:
    assert Truth(["maïs", "käse"]).index_of(normalize("NFD", "photos/käse/1.png")) == 1
