"""The help of ``python -m bench`` lists every measurement."""

import pytest

from bench.cli import FURTHER, main
from bench.folders import ROOT

RUN_BY_OTHERS = {"bench", "bench.in_process", "bench.gpu.constant_service", "bench.reliability.probe"}


def commands() -> set[str]:
    """Every module of the bench that can be run by name, except the peers, which need other environments."""
    paths = [path.relative_to(ROOT) for path in (ROOT / "bench").rglob("*.py") if path.parent.name != "peers"]
    return {
        ".".join(path.with_suffix("").parts).removesuffix(".__main__")
        for path in paths
        if path.name == "__main__.py" or 'if __name__ == "__main__":' in (ROOT / path).read_text()
    }


def test_help_lists_every_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands() - RUN_BY_OTHERS == set(FURTHER)
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out
    assert all(f"  python -m {module} " in listed for module in FURTHER)
