"""A table of paths and labels, or of the pictures themselves, works like a folder."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.own_pictures import SOURCE, load
from training.data import image_folder
from training.data.picture import PictureRule
from training.data.picture_table import list_table
from training.errors import DataError


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_a_table_of_paths_and_labels_works_like_a_folder(picture_folder: Path, suffix: str) -> None:
    paths = sorted(picture_folder.glob("*/*"))
    rows = [(str(path.relative_to(picture_folder)), path.parent.name) for path in paths]
    table = picture_folder / f"table.{suffix}"
    if suffix == "parquet":
        pa = pytest.importorskip("pyarrow")
        columns = {"file_name": [row[0] for row in rows], "label": [row[1] for row in rows]}
        pytest.importorskip("pyarrow.parquet").write_table(pa.table(columns), table)
    else:
        sign = {"csv": ",", "tsv": "\t"}[suffix]
        lines = [sign.join(row) for row in [("file_name", "label"), *rows]]
        table.write_text("\ufeff" + "\n".join(lines))
    listed = load(table)
    table.unlink()
    folder = load(picture_folder)
    assert listed.labels == folder.labels
    assert listed.fingerprint() == folder.fingerprint()
    np.testing.assert_array_equal(listed.test.pixels, folder.test.pixels)


def test_a_table_may_say_what_each_picture_is_for(picture_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = sorted(picture_folder.glob("*/*"))
    lines = [
        f"{path},{path.parent.name},{('train', 'train', 'val', 'test')[number % 4]}"
        for number, path in enumerate(paths)
    ]
    table = picture_folder / "table.csv"
    table.write_text("\n".join(["image,class,split", *lines]))
    data = load(table)
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 7, 7)
    table.write_text(
        "\n".join(["image,class,split", *lines, "missing.png,bird,train", ",bird,train", "a.png,bird,spare"])
    )
    with pytest.raises(DataError, match="3 problems were found"):
        load(table)
    report = capsys.readouterr().err
    assert "table.csv:33: 'spare': train, val or test is right" not in report.split("unknown part")[0]
    for line in ("missing.png: does not exist", "table.csv:33: both are needed", "table.csv:34: 'spare'"):
        assert line in report


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"path,label,label\na.png,a,b\n", "has two columns called 'label'"),
        (b"path,label\n", "has no rows"),
        ("path,label\na.png,b\n".encode("utf-16"), "is not in UTF-8: save it as CSV UTF-8"),
        ("path,label\na.png,ä\n".encode("latin-1"), "is not in UTF-8: save it as CSV UTF-8"),
    ],
)
def test_a_table_that_could_be_misread_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "table.csv").write_bytes(text)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "table.csv")


def test_rows_have_the_numbers_that_an_editor_shows(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text('\npath, label, note\n\na.png, a, "two\nlines"\n\n,b,x\n')
    listing = list_table(tmp_path / "table.csv")
    assert [(entry.path.name, entry.label, str(entry.row)) for entry in listing.entries] == [
        ("a.png", "a", f"{tmp_path / 'table.csv'}:4")
    ]
    assert [trouble.path.name for trouble in listing.troubles] == ["table.csv:7"]


def test_a_picture_whose_rows_disagree_is_told_with_both_labels(picture_folder: Path) -> None:
    paths = sorted(picture_folder.glob("*/*"))
    rows = [f"{path},{path.parent.name}" for path in paths]
    (picture_folder / "table.csv").write_text("\n".join(["path,label", *rows, f"{paths[0]},ship"]))
    with pytest.raises(DataError, match="its rows say bird and ship"):
        load(picture_folder / "table.csv")


def test_rows_without_a_split_are_of_train_where_others_have_one(
    picture_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = sorted(picture_folder.glob("*/*"))
    rows = [f"{path},{path.parent.name},{'test' if number % 5 == 0 else ''}" for number, path in enumerate(paths)]
    table = picture_folder / "table.csv"
    table.write_text("\n".join(["path,label,split", *rows, f"{paths[1]},bird,test"]))
    with pytest.raises(DataError, match=r"table.csv:3 names it too: a picture that was learnt from .*in test and in"):
        load(table)
    shown = capsys.readouterr().err
    assert "in test and in train (1):" in shown
    assert "bird: train 8, test 2" in shown


def test_parquet_of_several_labels_is_refused(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"path": ["a.png"], "label": [["a"]]}), tmp_path / "table.parquet")
    with pytest.raises(DataError, match="its column 'label' holds list; one text or number"):
        load(tmp_path / "table.parquet")


@pytest.mark.parametrize("text", ["", "path\na.png", "path,file,label\na,b,c", "\x00\x01"])
def test_a_table_without_its_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(DataError, match=r"table.csv needs one column called"):
        load(tmp_path / "table.csv")


def test_numbers_as_labels_have_no_fraction_and_gaps_are_no_class(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    labels = [2.0, 0.5, float("nan")]
    parquet.write_table(pa.table({"path": ["a.png", "b.png", "c.png"], "label": labels}), tmp_path / "table.parquet")
    listing = list_table(tmp_path / "table.parquet")
    assert {entry.label for entry in listing.entries} == {"0.5", "2"}
    assert [trouble.kind for trouble in listing.troubles] == ["row without path or label"]


def test_paths_of_windows_are_to_be_written_with_slashes(picture_folder: Path, tmp_path: Path) -> None:
    table = picture_folder / "table.csv"
    rows = [f"{path.parent.name}\\{path.name},{path.parent.name}" for path in sorted(picture_folder.glob("*/*"))]
    table.write_text("\n".join(["path,label", *rows]))
    with pytest.raises(DataError, match=r"table.csv:2 write paths with /: 'bird"):
        load(table)
    rule = PictureRule(32, 32, "RGB", fit="cover", polarity="any")
    with pytest.raises(DataError, match=r"table.csv: pictures of at least two classes are needed; it has good ones of"):
        image_folder.load(table, name="pictures", rule=rule, source=SOURCE, skipped=tmp_path / "skipped.tsv")


def test_a_row_that_occurs_twice_counts_once(picture_folder: Path) -> None:
    paths = sorted(picture_folder.glob("*/*"))
    rows = [f"{path.relative_to(picture_folder)},{path.parent.name}" for path in (paths[0], *paths)]
    (picture_folder / "table.csv").write_text("\n".join(["path,label", *rows]))
    data = load(picture_folder / "table.csv")
    assert len(data.train) + len(data.test) == len(paths)


def test_parquet_of_hugging_face_holds_the_pictures_themselves(picture_folder: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    paths, names = sorted(picture_folder.glob("*/*")), ["bird", "ship", "truck"]
    columns = {
        "image": [{"bytes": path.read_bytes(), "path": None} for path in paths],
        "label": [names.index(path.parent.name) for path in paths],
    }
    said = json.dumps({"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}})
    table = picture_folder.parent / "table.parquet"
    parquet.write_table(pa.table(columns).replace_schema_metadata({"huggingface": said}), table)
    listed, folder = load(table), load(picture_folder)
    assert listed.labels == folder.labels
    assert listed.fingerprint() == folder.fingerprint()


def test_parquet_of_numbers_is_refused(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"image": [[1, 2, 3]] * 2, "label": ["a", "b"]}), tmp_path / "table.parquet")
    with pytest.raises(DataError, match="its column 'image' holds list; paths, the bytes of PNG"):
        load(tmp_path / "table.parquet")


def test_a_row_with_a_picture_as_text_is_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.csv").write_text(f"image,label\n{'iVBO' * 5000},a\n")
    with pytest.raises(DataError, match="too long a path"):
        load(tmp_path / "table.csv")
    assert len(capsys.readouterr().err) < 1000


def test_a_class_that_only_the_test_rows_of_a_table_have_is_left_out_by_its_name(
    picture_folder: Path, tmp_path: Path
) -> None:
    paths = sorted(picture_folder.glob("*/*"))
    rows = [
        f"{path},{path.parent.name},{'test' if path.parent.name == 'truck' or number % 5 == 0 else 'train'}"
        for number, path in enumerate(paths)
    ]
    table, skipped = picture_folder / "table.csv", tmp_path / "skipped.tsv"
    table.write_text("\n".join(["path,label,split", *rows]))
    rule = PictureRule(32, 32, "RGB", fit="cover", polarity="any")
    data = image_folder.load(table, name="pictures", rule=rule, source=SOURCE, skipped=skipped)
    assert data.labels == ("bird", "ship")
    assert any("Left out (--skip-bad): 10 of the files" in note for note in data.notes)
    line = skipped.read_text().splitlines()[1]
    assert (
        line
        == f"{table}:22\tunknown class\tclass truck (10 pictures) is only in test: the classes to learn are bird, ship"
    )
