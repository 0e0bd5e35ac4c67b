import shutil
from pathlib import Path

import numpy as np
import pytest

from contract import DataSource
from training.data import image_folder
from training.data.dataset import DataSet
from training.data.picture import PictureRule
from training.errors import DataError

SOURCE = DataSource("pictures", "mine", "me")


def _load(directory: Path, side: int = 32) -> DataSet:
    rule = PictureRule(side, side, "RGB", fit="cover", polarity="any")
    return image_folder.load(directory, name="pictures", rule=rule, source=SOURCE)


def test_sub_folders_are_classes(picture_folder: Path) -> None:
    data = _load(picture_folder)
    assert data.labels == ("bird", "ship", "truck")
    assert data.input_shape == (32, 32, 3)
    assert (len(data.train), len(data.test)) == (27, 3)
    assert np.bincount(data.test.classes).tolist() == [1, 1, 1]


def test_the_same_pictures_are_held_out_each_time(picture_folder: Path) -> None:
    first, second = _load(picture_folder), _load(picture_folder)
    assert first.fingerprint() == second.fingerprint()


def test_train_and_test_folders_are_taken_as_they_are(picture_folder: Path) -> None:
    parts = picture_folder.with_name("parts")
    shutil.copytree(picture_folder, parts / "train")
    shutil.copytree(picture_folder, parts / "test")
    data = _load(parts)
    assert (len(data.train), len(data.test)) == (30, 30)
    assert data.labels == ("bird", "ship", "truck")


def test_names_a_damaged_picture(picture_folder: Path) -> None:
    path = next((picture_folder / "bird").iterdir())
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=rf"{path.name} is not a picture that can be read"):
        _load(picture_folder)


def test_names_a_stray_file(picture_folder: Path) -> None:
    (picture_folder / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"notes.txt stands beside the class folders"):
        _load(picture_folder)


def test_names_an_empty_class(picture_folder: Path) -> None:
    (picture_folder / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no picture"):
        _load(picture_folder)


def test_one_class_is_too_few(picture_folder: Path) -> None:
    for label in ("ship", "truck"):
        shutil.rmtree(picture_folder / label)
    with pytest.raises(DataError, match=r"at least two folders, one for each class; it holds 1"):
        _load(picture_folder)


def test_names_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not a folder"):
        _load(tmp_path / "nowhere")


def test_names_a_test_class_that_training_lacks(picture_folder: Path) -> None:
    parts = picture_folder.with_name("parts")
    shutil.copytree(picture_folder, parts / "train")
    shutil.copytree(picture_folder, parts / "test")
    (parts / "test" / "bird").rename(parts / "test" / "brid")
    with pytest.raises(DataError, match=r"brid is none of the classes bird, ship, truck"):
        _load(parts)
