"""The command line: train, import, describe, evaluate, convert, submit.

Slow imports wait until a command needs them, so ``--help`` and a mistyped option answer at once.
"""

# ruff: noqa: PLC0415  # imports wait until a command needs them

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from contract import ContractError
from training.describe_command import add_arguments as add_describe_arguments
from training.errors import ImportRefusedError, TrainingError
from training.files import model_file, one_line, reason
from training.importing.command import add_arguments as add_import_arguments
from training.train_command import add_arguments as add_train_arguments
from training.train_command import add_data_dir, data_dir

_COMMANDS = ("train", "import", "describe", "evaluate", "calibrate", "convert", "submit")

_GOES_ON = "the same command continues after the last whole epoch"

_EXAMPLES = """\
examples:
  convoy train cifar10                              exactly the notebook
  convoy train mnist --recipe best                  the same network, trained better
  convoy train mnist --data-dir kaggle/train.csv    from Kaggle's CSV
  convoy train flowers --data-dir pictures/flowers  your own pictures, a sub-folder for each class
  convoy describe cifar10                           the network's layers, with their arithmetic
  convoy describe models/cifar10/2 --picture me.jpg kernels and feature maps for your picture
  convoy evaluate models/cifar10/2/model.onnx       how good a file is, by ONNX Runtime
  convoy convert models/cifar10/2/model.onnx --precision int8
  convoy submit models/mnist/2/model.onnx kaggle/test.csv
"""


def main(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: without the program's name. A first word that is not a command is the data set to train on.

    Returns:
        The exit status: 0; 2 after an error, which a message explains; 130 after Ctrl-C, 143 after SIGTERM.
    """
    words = list(arguments)
    if words and not words[0].startswith("-") and words[0] not in _COMMANDS:
        words.insert(0, "train")  # as the cards of older versions write it: python -m training cifar10
    options = _parser().parse_args(words)
    # Before TensorFlow and ONNX Runtime are imported: no banners, no telemetry.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        with _ended_by_sigterm():
            options.run(options)
    except KeyboardInterrupt as stop:
        trains = words[:1] in ([], ["train"])
        print(f"\nstopped: {_GOES_ON if trains else 'nothing was published'}", file=sys.stderr)
        return 143 if isinstance(stop, _EndedError) else 130
    except MemoryError:
        print("error: memory ran out: use fewer pictures or a smaller --size", file=sys.stderr)
        return 2
    except ImportRefusedError as error:
        print("\n".join([f"error: {one_line(error.args[0])}", *error.choices.splitlines()]), file=sys.stderr)
        return 2
    except (TrainingError, ContractError) as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {one_line(place + reason(error))}", file=sys.stderr)
        return 2
    return 0


class _EndedError(KeyboardInterrupt):
    """Raised on SIGTERM; as a KeyboardInterrupt it triggers the same clean-up as Ctrl-C."""


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise _EndedError

    if threading.current_thread() is not threading.main_thread():  # Python handles signals in the main thread only
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convoy",
        description="Makes calibrated ONNX classifiers from data sets, and works on their files.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        required=True, metavar="{train, import, describe, evaluate, calibrate, convert, submit}"
    )
    add_train_arguments(commands.add_parser("train", help="train, calibrate, export, measure"))
    add_import_arguments(commands.add_parser("import", help="take over a classifier that was trained elsewhere"))
    add_describe_arguments(
        commands.add_parser("describe", help="list any network's layers, draw a version's figures or feature maps")
    )
    _add_evaluate(commands.add_parser("evaluate", help="measure an exported file by ONNX Runtime"))
    _add_calibrate(commands.add_parser("calibrate", help="fit thresholds for decisions on held-out pictures"))
    _add_convert(
        commands.add_parser("convert", help="write the model in float16 or int8 as a new model, and measure it")
    )
    _add_submit(commands.add_parser("submit", help="write Kaggle's submission.csv"))
    return parser


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="a model file, or the folder of its version")
    add_data_dir(parser)
    parser.add_argument(
        "--part", choices=("test", "all"), default="test", help="the test set, or training, validation and test set"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="draw the figures about decisions into DIR")
    parser.set_defaults(run=_evaluate)


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="metadata is added; its graph does not change")
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="pictures, a sub-folder for each class: those that learnt.json beside the model names are left out, since "
        "the model learnt from them; or the files of CIFAR-10 or MNIST, of which the metadata says what was held out",
    )
    parser.set_defaults(run=_calibrate)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="a model file, or the folder of its version")
    parser.add_argument(
        "--precision", choices=("float16", "int8"), required=True, help="float16 is for GPUs, int8 for CPUs"
    )
    add_data_dir(parser)
    parser.add_argument("--out", type=Path, default=Path("models"), help="model repository (default: %(default)s)")
    parser.set_defaults(run=_convert)


def _add_submit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="a model file, or the folder of its version")
    parser.add_argument("csv", type=Path, metavar="test.csv", help="Kaggle's 784 pixel columns, without labels")
    parser.add_argument("--out", type=Path, default=Path("submission.csv"), help="(default: %(default)s)")
    parser.set_defaults(run=_submit)


def _evaluate(options: argparse.Namespace) -> None:
    from training.data.skip_list import SKIP_LIST
    from training.evaluate import evaluate

    skipped = Path(SKIP_LIST) if options.skip_bad else None
    evaluate(
        model_file(options.model),
        data_dir(options),
        part=options.part,
        as_json=options.json,
        figures=options.figures,
        skipped=skipped,
    )


def _calibrate(options: argparse.Namespace) -> None:
    from training.decisions import calibrate
    from training.trust import trust_section

    model = model_file(options.model)
    said, trust = calibrate(model, options.folder)
    if said.conformal is not None:
        levels = ", ".join(f"{level.coverage:g}" for level in said.conformal.levels)
        print(f"{model}: coverage {levels}, from {said.conformal.images} held-out pictures")
    if trust is not None:
        print(trust_section(said, trust), end="")


def _convert(options: argparse.Namespace) -> None:
    from training.convert import NOT_MEASURED, convert
    from training.data.skip_list import SKIP_LIST

    skipped = Path(SKIP_LIST) if options.skip_bad else None
    made = convert(model_file(options.model), options.precision, data_dir(options), options.out, skipped=skipped)
    after, before = made.after.evaluation, made.before.evaluation
    accuracy = f"accuracy {after.accuracy:.2%} ({before.accuracy:.2%} before)"
    print(
        f"{options.out / made.metadata.name / made.metadata.version}: "
        f"{NOT_MEASURED if made.metadata.multi_label else accuracy} on {after.images} test images by the CPU, "
        f"same class {made.same_class:.2%}, largest difference {made.largest_difference:.4f}"
    )


def _submit(options: argparse.Namespace) -> None:
    from training.submit import submit

    rows = submit(model_file(options.model), options.csv, options.out)
    print(f"{options.out}: {rows} predictions")
