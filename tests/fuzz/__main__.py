"""Runs one target under libFuzzer: ``python -m tests.fuzz TARGET [libFuzzer's options] [CORPUS]``."""

import sys

import atheris

with atheris.instrument_imports(include=["imaging", "network", "service", "multipart", "tests.fuzz.targets"]):
    from tests.fuzz.targets import FUZZ_TARGETS


def main() -> None:
    """Fuzzes until an option of libFuzzer ends it, or an input fails."""
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], FUZZ_TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
