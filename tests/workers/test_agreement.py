"""What the workers of one service decide once."""

from pathlib import Path

import pytest

from service.workers.agreement import agree


def test_the_first_proposal_counts_for_all(tmp_path: Path) -> None:
    assert [agree(tmp_path, "models", text) for text in ("mnist", "cifar10\nmnist", "")] == ["mnist"] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_a_folder_that_is_gone_leaves_each_worker_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert agree(tmp_path / "gone", "models", "mnist") == "mnist"
    assert "each worker decides alone" in caplog.text
