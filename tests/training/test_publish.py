import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.cli import main
from training.errors import PublishError, RecipeError
from training.publish import check_writable, next_version, publishing


def test_versions_are_counted_upwards(tmp_path: Path) -> None:
    assert next_version(tmp_path, "model") == "1"
    for version in ("1", "10"):
        (tmp_path / "model" / version).mkdir(parents=True)
    assert next_version(tmp_path, "model") == "11"


def test_a_version_appears_whole(tmp_path: Path) -> None:
    with publishing(tmp_path, "model", "1") as folder:
        (folder / "model.onnx").write_text("new")
        assert not (tmp_path / "model" / "1").exists()
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["1"]
    assert (tmp_path / "model" / "1" / "model.onnx").read_text() == "new"


def test_a_failure_leaves_the_old_version(tmp_path: Path) -> None:
    with publishing(tmp_path, "model", "1") as folder:
        (folder / "model.onnx").write_text("old")

    def fail() -> None:
        with publishing(tmp_path, "model", "1") as folder:
            (folder / "model.onnx").write_text("new")
            raise RecipeError("no")

    with pytest.raises(RecipeError):
        fail()
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["1"]
    assert (tmp_path / "model" / "1" / "model.onnx").read_text() == "old"


@pytest.mark.parametrize("version", ["0", "v1", "1.2", "", "01", "10000000000"])
def test_a_version_is_a_whole_number(tmp_path: Path, version: str) -> None:
    with pytest.raises(RecipeError, match="a whole number from 1 to 999999999"), publishing(tmp_path, "model", version):
        pass


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Files of more than a mebibyte are refused by the system, as on a disk that is full."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_publishes_nothing_and_leaves_the_old_version(tmp_path: Path) -> None:
    def publish(content: bytes) -> None:
        with publishing(tmp_path, "model", "1") as folder:
            (folder / "card").write_text("new")
            (folder / "model.onnx").write_bytes(content)

    publish(b"old")
    with pytest.raises(PublishError, match=r"model/1 cannot be written \(File too large\): nothing is published"):
        publish(bytes(2 << 20))
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["1"]
    assert (tmp_path / "model" / "1" / "model.onnx").read_text() == "old"


def test_what_cannot_be_written_is_said_before_anything_begins(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "models", tmp_path)
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(PublishError, match=r"file/models cannot be made: .*file is no folder"):
        check_writable(tmp_path / "file" / "models")
    with pytest.raises(PublishError, match=r"/proc/models cannot be written"):
        check_writable(Path("/proc/models"))


def test_a_models_own_folder_is_checked_before_its_pictures_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "things").touch()
    words = ["train", "things", "--data-dir", "nowhere", "--run-dir", str(tmp_path / "run"), "--out", str(tmp_path)]
    assert main(words) == 2
    assert f"{tmp_path}/things cannot be made" in capsys.readouterr().err


def test_the_next_number_is_taken_when_it_is_free_and_nothing_is_replaced(tmp_path: Path) -> None:
    for expected in ("1", "2"):
        with publishing(tmp_path, "model", None) as folder:
            assert folder.name == expected
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["1", "2"]


def test_what_a_killed_publishing_left_is_removed_and_the_version_that_it_moved_is_put_back(tmp_path: Path) -> None:
    (tmp_path / "model" / ".3-abcd_123" / "old").mkdir(parents=True)
    (tmp_path / "model" / ".4-abcd_123" / "4").mkdir(parents=True)
    with publishing(tmp_path, "model", None) as folder:
        assert folder.name == "4"
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["3", "4"]
