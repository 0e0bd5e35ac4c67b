"""The sources of pictures: each kind of input in its order, and each invalid one with its message."""

import io
import os
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from service.errors import ScoringError
from service.scoring.pictures import FilePicture
from service.scoring.sources import can_be_counted, find_pictures

NAMES = ["b.PNG", "c.jpeg", "a/1.webp", "a/2.png", "z/0.tiff"]
OTHERS = ["Thumbs.db", ".hidden.png", "a/notes.txt", ".git/x.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files; the content of each is its name."""
    root = tmp_path / "photos"
    for name in (*reversed(NAMES), *OTHERS):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def zip_of(folder: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (*OTHERS, *NAMES):
            archive.write(folder / name, name)
    return out


def tar_of(folder: Path, out: Path, mode: str) -> Path:
    with tarfile.open(out, mode) as archive:  # type: ignore[call-overload]
        for name in (*OTHERS, *NAMES):
            archive.add(folder / name, name)
    return out


def found(source: Path | str, column: str | None = None) -> dict[str, bytes]:
    return {picture.name: picture.read() for picture in find_pictures(str(source), column)}


EXPECTED = {name: name.encode() for name in NAMES}


def test_a_folder_with_all_below_it_files_first(folder: Path) -> None:
    assert list(found(folder).items()) == list(EXPECTED.items())


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tgz", "tar.xz"])
def test_archives_in_their_own_order(folder: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"photos.{kind}"
    mode = {"tar": "w:", "tar.xz": "w:xz"}.get(kind, "w:gz")
    archive = zip_of(folder, out) if kind == "zip" else tar_of(folder, out, mode)
    assert list(found(archive).items()) == list(EXPECTED.items())
    assert can_be_counted(str(archive)) == (kind in ("zip", "tar"))


def test_a_pattern(folder: Path) -> None:
    assert list(found(f"{folder}/**/*.png")) == [f"{folder}/a/2.png"]


def test_a_list_and_standard_input(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"{folder / name}\r\n" for name in NAMES) + "\n"
    (tmp_path / "list.txt").write_text(text)
    expected = [str(folder / name) for name in NAMES]
    assert list(found(tmp_path / "list.txt")) == expected
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert list(found("-")) == expected


def test_a_column_of_a_table_with_paths_beside_it(folder: Path) -> None:
    table = folder / "table.csv"
    table.write_text('id,where,path\n1,here,b.PNG\n2,"x\ny",a/2.png\n,,\n', encoding="utf-8-sig")
    assert found(table) == {name: EXPECTED[name] for name in ("b.PNG", "a/2.png")}
    assert found(table, "path") == found(table)
    with pytest.raises(ScoringError, match="--column must say which column holds the paths: id, where, path"):
        found(table, "file")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty; its first line has to name the columns"),
        (b"a/1.png,7\na/2.png,7\n", "its first line is a picture, a/1.png, and not"),
        (
            b"a/1.png\na/2.png\n",
            "its first line is a picture, a/1.png, and not the names of the columns; add a first line",
        ),
        (b"path;label\na.png;cat\n", "its first line has one column, 'path;label'; separate the columns with commas"),
        (b"my path,b\n1,2\n", "which column holds the paths: my path, b; for example --column 'my path'"),
        (b"path,label,path\na.png,cat,b.png\n", "several columns have the name path"),
        (b"path\n" + b"x" * 200_000, "no list of paths: a line is longer"),
        (b'path\n"' + b"not closed\n" * 20_000, "no table of comma-separated values"),
        ("path\na.png\n".encode("utf-16"), "its text is UTF-16; save it as UTF-8"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(ScoringError, match=said):
        found(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a.png\n".encode("utf-16"), "UTF-16"),
        (b"a.png\0b.png\0", "its first line has a zero byte"),
        (bytes(1 << 20), "no list of paths: a line is longer than 65536"),
    ],
)
def test_what_is_no_list_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(ScoringError, match=said):
        found(tmp_path / "list.txt")


def test_a_list_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png\nb.png\n", encoding="utf-8-sig")
    assert [picture.name for picture in find_pictures(str(tmp_path / "list.txt"))] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("t.parquet", "a table of paths has to be a .csv"), ("t.TSV", "a .csv"), ("t.tar.zst", "or pack the pictures as")],
)
def test_a_file_of_another_kind_is_no_list(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_text("a.png\n")
    with pytest.raises(ScoringError, match=f"files cannot be read; .*{said}"):
        found(tmp_path / name)


@pytest.mark.parametrize("name", [".", "list.txt"])
def test_a_column_is_refused_where_there_are_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "list.txt").write_text("a.png\n")
    with pytest.raises(ScoringError, match=r"--column path: only a \.csv file has columns"):
        found(tmp_path / name, "path")


def test_the_usual_columns_are_known_in_capitals_too(folder: Path) -> None:
    (folder / "table.csv").write_text("Label, Path\ncat,b.PNG\n")
    assert list(found(folder / "table.csv")) == ["b.PNG"]


@pytest.mark.parametrize("is_pattern", [False, True])
def test_links_in_circles_and_what_cannot_be_read_are_faults_and_nothing_is_lost(
    folder: Path, is_pattern: bool
) -> None:
    for number in range(4):
        (folder / "a" / f"up{number}").symlink_to("..")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "gone.png").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    pictures = list(find_pictures(f"{folder}/**" if is_pattern else str(folder)))
    faults = []
    for picture in pictures:
        try:
            picture.read()
        except (OSError, ScoringError):
            faults.append(Path(picture.name).name)
    assert sorted(faults) == ["gone.png", "loop.png", "pipe.png"]
    assert len(pictures) == len(NAMES) + len(faults) + is_pattern * 2  # Thumbs.db and a/notes.txt match the pattern


def test_a_folder_in_a_folder_that_cannot_be_read_is_a_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: str) -> object:
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)  # the tests may run as root, who can read everything
    *others, private, _ = find_pictures(str(folder))
    assert (len(others), private.name) == (2, "a/")
    with pytest.raises(ScoringError, match="this folder cannot be read: Permission denied"):
        private.read()


def test_folders_may_be_nested_as_deep_as_a_path_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    root = tempfile.mkdtemp()  # pytest could not remove it from a tmp_path, nor could shutil.rmtree
    try:
        monkeypatch.chdir(root)
        for _ in range(1500):
            os.mkdir("d")  # noqa: PTH102  relative, since the path gets too long
            os.chdir("d")
        Path("deep.png").write_bytes(b"x")
        os.chdir(root)
        [picture] = find_pictures("d")
        assert picture.read() == b"x"
    finally:
        subprocess.run(["rm", "-r", root], check=True)


def test_one_picture(folder: Path) -> None:
    assert list(found(folder / "b.PNG").values()) == [b"b.PNG"]


def test_a_name_that_is_not_utf8_is_found(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    assert list(found(tmp_path).values()) == [b"x"]


def test_what_is_wrong_with_an_input_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    (tmp_path / "broken.tar.gz").write_bytes(b"nothing")
    with pytest.raises(ScoringError, match="there is no such file or folder"):
        found(tmp_path / "gone")
    for name in ("broken.zip", "broken.tar.gz"):
        with pytest.raises(ScoringError, match="damaged, or not what its name says"):
            found(tmp_path / name)


def test_a_pipe_and_a_missing_file_are_faults_of_one_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ScoringError, match="not a regular file"):
        FilePicture("pipe", str(tmp_path / "pipe.png")).read()
    with pytest.raises(FileNotFoundError):
        FilePicture("gone", str(tmp_path / "gone.png")).read()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.3, 0.6, 0.9])
def test_an_archive_that_is_cut_off_loses_nothing_in_silence(
    folder: Path, tmp_path: Path, kind: str, share: float
) -> None:
    out = tmp_path / f"photos.{kind}"
    mode = {"tar": "w:", "tar.xz": "w:xz"}.get(kind, "w:gz")
    whole = (zip_of(folder, out) if kind == "zip" else tar_of(folder, out, mode)).read_bytes()
    out.write_bytes(whole[: int(len(whole) * share)])
    said = ""
    try:
        pictures = found(out)
    except ScoringError as error:
        said = str(error)
    else:
        assert pictures == EXPECTED
    assert "None" not in said


def test_what_is_damaged_in_a_zip_is_a_fault_of_one_picture(tmp_path: Path) -> None:
    out = tmp_path / "photos.zip"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.png", os.urandom(1000))
        archive.writestr("2.png", b"good")
    content = bytearray(out.read_bytes())
    content[40:60] = bytes(20)  # within the first member's data
    out.write_bytes(content)
    first, second = find_pictures(str(out))
    with pytest.raises(ScoringError, match="cannot be taken out of the archive"):
        first.read()
    assert second.read() == b"good"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_pictures_of_one_name_in_a_zip_are_told_apart(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("same.png", b"first")
        archive.writestr("same.png", b"second")
    assert [picture.read() for picture in find_pictures(str(tmp_path / "photos.zip"))] == [b"first", b"second"]


def test_a_row_without_a_path_is_a_fault_of_one_picture(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("label,path\ncat,1.png\ncat,\ndog\n\ndog,2.png\n")
    pictures = list(find_pictures(str(tmp_path / "table.csv")))
    assert [picture.name for picture in pictures] == ["1.png", "", "", "2.png"]
    for number, picture in ((3, pictures[1]), (4, pictures[2])):
        with pytest.raises(ScoringError, match=f"line {number} of table.csv has no path in path"):
            picture.read()


def test_a_name_with_a_zero_byte_is_a_fault_of_one_picture(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"good.png\nzero\0byte.png\n")
    _, picture = find_pictures(str(tmp_path / "list.txt"))
    with pytest.raises(ScoringError, match="zero byte"):
        picture.read()
