"""The folder of a run's parts: what is in it when a run begins."""

from pathlib import Path

import pytest

from service.errors import ScoringError
from service.scoring.formats import CsvFormat
from service.scoring.parts import PartRecord, Parts, folder_of

EMPTY = PartRecord(0, 0, "", [])


def test_parts_without_their_run_are_not_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    with Parts(out, CsvFormat(), {"model": "a"}, resume=False) as parts:
        parts.write({"file": ["old"]}, [], EMPTY)
    (folder_of(out) / "run.json").unlink()  # as a kill during the removal of the folder may leave it
    with Parts(out, CsvFormat(), {"model": "b"}, resume=False) as parts:
        assert [path.name for path in folder_of(out).iterdir()] == ["run.json"]
        parts.write({"file": ["new"]}, [], EMPTY)
        parts.join(tmp_path / "errors.csv")
    assert out.read_text().split() == ["file", "new"]


def test_a_folder_with_other_files_is_not_used(tmp_path: Path) -> None:
    mine = folder_of(tmp_path / "p.csv") / "mine.csv"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(ScoringError, match=r"mine\.csv in it is no part of a run"):
        Parts(tmp_path / "p.csv", CsvFormat(), {}, resume=False)
    assert mine.read_text() == "mine"


def test_only_a_list_of_errors_is_removed_at_the_end(tmp_path: Path) -> None:
    for text, is_left in (("file,error\r\nold,gone\r\n", False), ("mine", True)):
        (tmp_path / "errors.csv").write_text(text, newline="")
        with Parts(tmp_path / "p.csv", CsvFormat(), {}, resume=False) as parts:
            parts.write({"file": []}, [], EMPTY)
            parts.join(tmp_path / "errors.csv")
        assert (tmp_path / "errors.csv").exists() == is_left
