from pathlib import Path

import numpy as np
import pytest

from training.errors import RunError
from training.run_directory import RunDirectory, State, used_alone


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run", {"recipe": {"epochs": 3}, "seed": 0})


def _state() -> State:
    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.uint32)]
    return State(2, weights, [weights[0] * 2], [weights[0] * 3], 1, 0.5, {"loss": [1.0, 0.5]})


def test_a_new_run_has_nothing(run: RunDirectory) -> None:
    assert run.load() is None


def test_reads_back_what_it_wrote(run: RunDirectory) -> None:
    run.save(_state())
    loaded = run.load()
    assert loaded is not None
    assert (loaded.epochs_done, loaded.best_epoch, loaded.best_loss) == (2, 1, 0.5)
    assert loaded.history == {"loss": [1.0, 0.5]}
    for ours, theirs in zip(_state().network, loaded.network, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_another_runs_checkpoint_is_refused(run: RunDirectory) -> None:
    run.save(_state())
    other = RunDirectory(run.path, {"recipe": {"epochs": 4}, "seed": 0})
    with pytest.raises(RunError, match=r"holds a run with another recipe: give another --run-dir, or --fresh"):
        other.load()


def test_a_damaged_checkpoint_is_refused(run: RunDirectory) -> None:
    run.save(_state())
    run.checkpoint.write_bytes(run.checkpoint.read_bytes()[:200])
    with pytest.raises(RunError, match=r"checkpoint.npz is damaged"):
        run.load()


def test_a_half_written_checkpoint_does_not_count(run: RunDirectory) -> None:
    run.save(_state())
    (run.path / "checkpoint.partial.npz").write_bytes(b"half")
    loaded = run.load()
    assert loaded is not None
    assert loaded.epochs_done == 2


def test_discarding_begins_anew(run: RunDirectory) -> None:
    run.save(_state())
    run.discard()
    assert run.load() is None


def test_a_second_training_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with (
        used_alone(tmp_path / "run"),
        pytest.raises(RunError, match="another training uses"),
        used_alone(tmp_path / "run"),
    ):
        pass
    with used_alone(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()
