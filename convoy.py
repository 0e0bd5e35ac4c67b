"""The entry point of every command: ``convoy serve``, ``convoy import``, ``convoy train`` and so on.

::

    convoy WORD ... ─┬─ serve, score, verify, doctor, keys, health > service      (never imports TensorFlow)
                     └─ train, import, describe, evaluate,
                        calibrate, convert, submit ─────────────────────────> training

A command imports only the modules that it needs. ``python -m service`` and ``python -m training`` work as well.
"""

# ruff: noqa: PLC0415  # imports wait until a command needs them

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Final, NamedTuple

_WRONG_USE: Final = 2
_READER_GONE: Final = 141
"""The exit status that shells show for a program that SIGPIPE ended."""
_FOLDERS: Final = {"install": ".venv", "import-env": ".venv-import", "train-env": ".venv-train"}
"""The folder of each make target's environment."""
OWN_PACKAGES: Final = ("contract", "convoy", "imaging", "network", "service", "training")
"""The packages and modules of this project: one that cannot be imported is a fault, and no missing environment."""


class Command(NamedTuple):
    """One command, named by the first word after ``convoy``.

    Attributes:
        package: the package that runs it.
        environment: the make target that makes an environment for it.
        summary: a description of it, for the help.
    """

    package: str
    environment: str
    summary: str


COMMANDS: Final = {
    "serve": Command("service", "install", "serve the models over HTTP; --help lists the settings"),
    "score": Command("service", "install", "score a folder, an archive or a list of pictures: a table of predictions"),
    "doctor": Command("service", "install", "say what this machine can serve, and what to do where it cannot"),
    "keys": Command("service", "install", "make an API key: convoy keys new --name NAME --scope predict"),
    "health": Command("service", "install", "ask the service that runs here whether it is ready"),
    "verify": Command("service", "install", "make a prediction again from its receipt (docs/trust.md)"),
    "import": Command("training", "import-env", "take over a classifier that was trained elsewhere (docs/import.md)"),
    "train": Command("training", "train-env", "train on CIFAR-10, MNIST or a folder of pictures (docs/models.md)"),
    "describe": Command("training", "train-env", "list any network's layers, draw a version's figures or feature maps"),
    "evaluate": Command("training", "train-env", "measure an exported file by ONNX Runtime"),
    "calibrate": Command("training", "train-env", "fit thresholds on held-out pictures (docs/trust.md)"),
    "convert": Command("training", "train-env", "write the model in float16 or int8 as a new model"),
    "submit": Command("training", "train-env", "write Kaggle's submission.csv"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: without the program's name; None takes them from the command line.

    Returns:
        The exit status: that of the command; 2 where there is no such command, or its environment is missing; 141 where
        the output was closed.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files that are shown need not be UTF-8
    try:
        try:
            status = _answer(words)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the program that reads the output, such as `head`, has ended
        status = _READER_GONE
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit does not fail
    command = COMMANDS.get(words[0]) if words else None
    if arguments is None and command is not None and command.package == "service":
        from service.workers.stop_signals import end

        end(status)  # without waiting for threads, even if standard output is closed
    return status


def _answer(words: Sequence[str]) -> int:
    if words[:1] == ["--version"]:
        from service import __version__

        print(f"convoy {__version__}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if words else _WRONG_USE
    word, rest = words[0], words[1:]
    command = COMMANDS.get(word)
    if command is None:
        print(f"convoy {word[:40]}: there is no such command\n{_usage()}", file=sys.stderr)
        return _WRONG_USE
    try:
        return _run(word, command, rest)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", *OWN_PACKAGES):
            raise
        target = "train-env" if missing in ("h5py", "keras", "tensorflow", "tf2onnx") else command.environment
        print(
            f"convoy {word} needs the package {missing}, which is not installed here: `make {target}` makes an "
            f"environment that has it, and {_FOLDERS[target]}/bin/convoy {word} uses it",
            file=sys.stderr,
        )
        return _WRONG_USE


def _run(word: str, command: Command, rest: Sequence[str]) -> int:
    if command.package == "service":
        from service.__main__ import main as run_service

        return run_service(rest if word == "serve" else [word, *rest])
    from training.cli import main as run_training

    return run_training([word, *rest])


def _usage() -> str:
    lines = [f"  convoy {word:<10}{command.summary}" for word, command in COMMANDS.items()]
    return "\n".join(["Image classifiers, from a Keras notebook to a fast REST service.", "", *lines])


if __name__ == "__main__":
    sys.exit(main())
