import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract import DataSource
from training.data import image_folder
from training.data.dataset import DataSet
from training.errors import DataError

SOURCE = DataSource("pictures", "mine", "me")


def _load(directory: Path, side: int = 32) -> DataSet:
    return image_folder.load(directory, name="pictures", side=side, color_mode="RGB", source=SOURCE)


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


def test_a_picture_is_turned_laid_on_white_and_cropped(tmp_path: Path) -> None:
    wide = np.zeros((20, 60, 4), np.uint8)
    wide[:, 20:40] = (255, 0, 0, 255)  # an opaque red middle between transparent sides
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(2):
            exif = Image.Exif()
            exif[0x0112] = 6  # orientation: turn a quarter
            Image.fromarray(wide).save(tmp_path / label / f"{number}.png", exif=exif)
    pixels = _load(tmp_path, side=10).train.pixels[0]
    # The filter lets a little of the white beside the crop into its border.
    np.testing.assert_array_equal(pixels[1:-1, 1:-1], np.broadcast_to(np.uint8([255, 0, 0]), (8, 8, 3)))
    assert pixels[..., 1].max() < 64


def test_transparent_is_white(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(2):
            Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / label / f"{number}.png")
    assert (_load(tmp_path, side=8).train.pixels == 255).all()


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
