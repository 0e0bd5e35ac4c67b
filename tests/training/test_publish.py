from pathlib import Path

import pytest

from training.errors import RecipeError
from training.publish import next_version, publishing


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


@pytest.mark.parametrize("version", ["0", "v1", "1.2", ""])
def test_a_version_is_a_whole_number(tmp_path: Path, version: str) -> None:
    with pytest.raises(RecipeError, match="a whole number from 1 upwards"), publishing(tmp_path, "model", version):
        pass
