import os
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging import Limits
from service.settings import Settings
from tests.training.own_pictures import SOURCE, load
from training.data import image_folder
from training.data.picture import PictureRule
from training.errors import DataError


def test_sub_folders_are_classes(picture_folder: Path) -> None:
    data = load(picture_folder)
    assert data.labels == ("bird", "ship", "truck")
    assert data.input_shape == (32, 32, 3)
    assert (len(data.train), len(data.test)) == (27, 3)
    assert np.bincount(data.test.classes).tolist() == [1, 1, 1]
    assert data.notes[0].startswith("3 of the 30 pictures, chosen by their content, were held out as the test set")


def test_the_same_pictures_are_held_out_each_time(picture_folder: Path) -> None:
    first, second = load(picture_folder), load(picture_folder)
    assert first.fingerprint() == second.fingerprint()


def _parts(picture_folder: Path, *parts: str) -> Path:
    """Copies the pictures of each class into parts."""
    place = picture_folder.with_name("parts")
    for path in sorted(picture_folder.glob("*/*")):
        number = sorted(path.parent.iterdir()).index(path)
        target = place / parts[number % len(parts)] / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return place


def test_train_and_test_folders_are_taken_as_they_are(picture_folder: Path) -> None:
    data = load(_parts(picture_folder, "train", "test"))
    assert (len(data.train), len(data.test)) == (15, 15)
    assert data.labels == ("bird", "ship", "truck")
    assert data.validation is None


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_a_validation_folder_is_the_validation_set(picture_folder: Path, name: str) -> None:
    data = load(_parts(picture_folder, "train", name, "test"))
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 9, 9)
    assert any("validation set is the folder parts/ val" in note for note in data.notes)


def test_without_a_test_folder_a_tenth_of_the_training_pictures_is_held_out(picture_folder: Path) -> None:
    data = load(_parts(picture_folder, "train", "val"))
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 15, 3)
    assert data.notes[0].startswith("3 of the 15 pictures of the folder parts/ train, chosen by their content")


@pytest.mark.parametrize(
    ("names", "pictures"),
    [(("train",), (27, 0, 3)), (("train", "testing"), (15, 0, 15)), (("Training", "dev", "test"), (12, 9, 9))],
)
def test_parts_have_the_names_that_are_usual(
    names: tuple[str, ...], pictures: tuple[int, int, int], picture_folder: Path
) -> None:
    data = load(_parts(picture_folder, *names))
    assert (len(data.train), len(data.validation or ()), len(data.test)) == pictures


def test_a_folder_beside_the_parts_is_moved_elsewhere_and_not_its_content(
    picture_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = _parts(picture_folder, "train", "test")
    shutil.copytree(parts / "train" / "bird", parts / "unlabelled")
    with pytest.raises(DataError, match=r"1 problem was found.*unlabelled only train, val and test belong here"):
        load(parts)
    assert "move them up" not in capsys.readouterr().err


def test_folders_inside_a_class_without_pictures_may_be_the_classes(
    picture_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture_folder.rename(picture_folder.parent / "train")
    parts = picture_folder.parent
    shutil.copytree(parts / "train" / "bird", parts / "unlabelled")
    with pytest.raises(DataError, match=r"1 problem was found.*if its folders are the classes, give .*train as the"):
        load(parts)
    assert "move them up" not in capsys.readouterr().err


def test_folders_of_pictures_called_train_and_test_are_classes(picture_folder: Path) -> None:
    (picture_folder / "bird").rename(picture_folder / "train")
    (picture_folder / "ship").rename(picture_folder / "test")
    assert load(picture_folder).labels == ("test", "train", "truck")


@pytest.fixture
def without_privileges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The permissions of files apply to this process, also if root runs it; ``tmp_path`` is the working directory."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    yield
    os.seteuid(user)


@pytest.mark.parametrize("mode", [0o000, 0o444])
@pytest.mark.parametrize("shut", ["test/ship", "test"])
def test_a_folder_that_cannot_be_read_is_one_trouble_of_the_report(
    shut: str, mode: int, picture_folder: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    parts = _parts(picture_folder, "train", "test")
    (parts / "train" / "bird" / "notes.png").write_text("no picture at all")
    (parts / shut).chmod(mode)
    request.getfixturevalue("without_privileges")
    with pytest.raises(DataError, match=r"^2 problems were found"):
        load(Path(parts.name))
    assert f"parts/{shut}: cannot be read (Permission denied)" in capsys.readouterr().err


@pytest.fixture
def troubled(picture_folder: Path) -> Path:
    """A folder with every kind of problem, and three classes of good pictures."""
    birds = sorted((picture_folder / "bird").iterdir())
    birds[0].write_bytes(birds[0].read_bytes()[:60])
    (picture_folder / "bird" / "notes.png").write_text("no picture at all")
    (picture_folder / "bird" / "more").mkdir()
    shutil.copy(birds[1], picture_folder / "bird" / "more" / "a.png")
    (picture_folder / "empty").mkdir()
    (picture_folder / "notes.txt").write_text("hello")
    shutil.copy(birds[2], picture_folder / "ship" / "copy.png")
    shutil.copy(birds[3], picture_folder / "bird" / "again.png")
    os.mkfifo(picture_folder / "truck" / "pipe.jpg")
    for ignored in ("Thumbs.db", ".DS_Store", "bird/Thumbs.db", "bird/desktop.ini", "truck/.DS_Store"):
        (picture_folder / ignored).write_bytes(b"of a system")
    return picture_folder


def test_one_run_reports_everything_that_is_wrong(troubled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"^8 problems were found, all listed above.*--skip-bad"):
        load(troubled)
    report = capsys.readouterr().err
    for line in (
        "cannot be read (3):",
        "notes.png: is not a picture that can be read",
        "pipe.jpg: is not a regular file",
        "folder inside a class (1):",
        "bird/more: pictures of a class stand in bird/ itself: move them up",
        "empty class (1):",
        "beside the class folders (1):",
        "notes.txt: every picture belongs in the folder of its class",
        "one picture in two classes (2):",
        "1 more are the same as another of their class",
        "sizes in pixels: 48x40 to 48x40",
        "truck: 10",
    ):
        assert line in report
    assert not any(word in report for word in ("Thumbs.db", "desktop.ini", ".DS_Store", "remove", "delete"))


def test_what_is_hidden_is_named_and_not_used(picture_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(picture_folder / "ship", picture_folder / ".boat")
    picture = next((picture_folder / "bird").iterdir())
    for name in (".one.png", "._of_macos.png", ".DS_Store"):
        shutil.copy(picture, picture_folder / "bird" / name)
    assert load(picture_folder).labels == ("bird", "ship", "truck")
    assert "left out, since their names begin with a dot (2): .boat, bird/.one.png\n" in capsys.readouterr().err


def test_skip_bad_goes_on_without_and_writes_the_names(troubled: Path, tmp_path: Path) -> None:
    rule = PictureRule(32, 32, "RGB", fit="cover", polarity="any")
    skipped = tmp_path / "run" / "skipped.tsv"
    data = image_folder.load(troubled, name="pictures", rule=rule, source=SOURCE, skipped=skipped)
    assert data.labels == ("bird", "ship", "truck")
    # Ten of each, but one bird is damaged and one is also a ship.
    assert np.bincount(np.concatenate([data.train.classes, data.test.classes])).tolist() == [8, 10, 10]
    names = [line.split("\t")[0].removeprefix(f"{troubled}/") for line in skipped.read_text().splitlines()[1:]]
    assert len(names) == 8
    assert {"notes.txt", "empty", "bird/more", "bird/notes.png", "truck/pipe.jpg", "ship/copy.png"} < set(names)
    assert any("Left out (--skip-bad): 8" in note for note in data.notes)


def test_a_list_of_ones_own_called_like_that_of_skipped_files_stays(troubled: Path, tmp_path: Path) -> None:
    rule, own = PictureRule(32, 32, "RGB", fit="cover", polarity="any"), tmp_path / "skipped.tsv"
    own.write_text("what I skipped\t3\n")
    with pytest.raises(DataError, match=r"skipped\.tsv is there already, and no list"):
        image_folder.load(troubled, name="pictures", rule=rule, source=SOURCE, skipped=own)
    assert own.read_text() == "what I skipped\t3\n"


def test_the_list_of_skipped_files_goes_once_nothing_is_skipped(picture_folder: Path, tmp_path: Path) -> None:
    rule, skipped = PictureRule(32, 32, "RGB", fit="cover", polarity="any"), tmp_path / "skipped.tsv"
    bad = picture_folder / "bird" / "notes.txt"
    bad.write_text("no picture")
    image_folder.load(picture_folder, name="pictures", rule=rule, source=SOURCE, skipped=skipped)
    assert "notes.txt" in skipped.read_text()
    bad.unlink()
    image_folder.load(picture_folder, name="pictures", rule=rule, source=SOURCE, skipped=skipped)
    assert not skipped.exists()


def test_a_picture_to_learn_from_is_none_to_be_tested_on(picture_folder: Path) -> None:
    parts = _parts(picture_folder, "train", "test")
    learnt = next((parts / "train" / "ship").iterdir())
    shutil.copy(learnt, parts / "test" / "ship" / "leak.jpg")
    with pytest.raises(DataError, match=r"leak.jpg the same as .* \(in test and in train\)"):
        load(parts)


def test_a_folder_of_macos_is_the_class_of_the_same_letters(picture_folder: Path) -> None:
    (picture_folder / "bird").rename(picture_folder / unicodedata.normalize("NFD", "Bülbül"))
    rule = PictureRule(32, 32, "RGB", fit="cover", polarity="any")
    names = ["Bülbül", "ship", "truck"]
    data = image_folder.load(picture_folder, name="pictures", rule=rule, source=SOURCE, labels=names)
    assert data.labels == ("Bülbül", "ship", "truck")
    assert np.bincount(data.test.classes).tolist() == [1, 1, 1]


def test_one_class_is_too_few(picture_folder: Path) -> None:
    for label in ("ship", "truck"):
        shutil.rmtree(picture_folder / label)
    with pytest.raises(DataError, match=r"at least two classes are needed, each in a folder; it has good ones of 1"):
        load(picture_folder)


def test_names_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not a folder"):
        load(tmp_path / "nowhere")


def test_names_a_test_class_that_training_lacks(picture_folder: Path) -> None:
    parts = _parts(picture_folder, "train", "test")
    (parts / "test" / "bird").rename(parts / "test" / "brid")
    with pytest.raises(DataError, match=r"brid \(5 pictures\) is only in test: the classes to learn are bird, ship"):
        load(parts)


def test_classes_of_one_picture_are_reported_together_and_left_out(
    picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("crow", "duck"):
        (picture_folder / label).mkdir()
        Image.new("RGB", (48, 40), (len(label), ord(label[0]), 0)).save(picture_folder / label / "a.png")
    with pytest.raises(DataError, match="2 problems were found"):
        load(picture_folder)
    assert "duck: class duck has a single picture" in capsys.readouterr().err
    rule = PictureRule(32, 32, "RGB", fit="cover", polarity="any")
    data = image_folder.load(
        picture_folder, name="pictures", rule=rule, source=SOURCE, skipped=tmp_path / "skipped.tsv"
    )
    assert data.labels == ("bird", "ship", "truck")


def test_training_reads_what_the_service_reads_by_default() -> None:
    limits, settings = Limits(), Settings.model_fields
    assert limits.max_pixels == settings["max_pixels"].default
    assert limits.max_reducible_pixels == settings["max_reducible_pixels"].default


@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines"])
def test_a_class_name_that_the_metadata_cannot_hold_is_in_the_report(
    name: bytes, picture_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (picture_folder / "bird").rename(picture_folder / os.fsdecode(name))
    with pytest.raises(DataError, match="impossible class name"):
        load(picture_folder)
    assert "impossible class name (1)" in capsys.readouterr().err
