"""A short run of every fuzz target on its committed corpus; ``make fuzz`` runs them for longer."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import FUZZ_TARGETS
from tests.process import ROOT

pytestmark = pytest.mark.slow

pytest.importorskip("atheris", reason="atheris has wheels for Linux on x86-64 only")

CORPUS = Path(__file__).parent / "corpus"
_RUNS = 3000


@pytest.mark.parametrize("name", FUZZ_TARGETS)
def test_whatever_comes_ends_in_an_answer_or_a_clear_error(name: str, tmp_path: Path) -> None:
    # New inputs are written to the first folder, which is not the committed corpus.
    options = [f"-runs={_RUNS}", "-seed=1", "-timeout=10", f"-artifact_prefix={tmp_path}/", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, *options, str(CORPUS / name)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    assert f"Done {_RUNS} runs" in ended.stderr
