"""Fails where a Serve config has a field that Ray does not know, since Ray itself would ignore it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from ray.serve.schema import ServeDeploySchema


def main(arguments: Sequence[str]) -> int:
    """Checks files. Run in ``.venv-ray``."""
    for path in map(Path, arguments):
        document = yaml.safe_load(path.read_text())
        taken = ServeDeploySchema.model_validate(document).model_dump(mode="json", exclude_unset=True)
        if taken != document:
            print(f"{path}: Ray takes it as {taken}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
