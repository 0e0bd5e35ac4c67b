"""The command line: train, import, describe, evaluate, convert, submit.

Nothing heavy is imported before it is known to be needed, so ``--help`` and a mistyped option answer at once.
"""

# ruff: noqa: PLC0415  # imports wait until a command needs them

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from training.errors import TrainingError
from training.files import one_line, reason
from training.importing.command import add_arguments as add_import_arguments

_COMMANDS = ("train", "import", "describe", "evaluate", "calibrate", "convert", "export", "submit")
_BUILT_IN = ("cifar10", "mnist")
_DATA_DIR = Path("data")
_MODELS, _TRIALS = Path("models"), Path("runs/trials")

_EXAMPLES = """\
examples:
  convoy train cifar10                              the notebook, to the letter
  convoy train mnist --recipe best                  the same network, trained better
  convoy train mnist --data-dir kaggle/train.csv    from Kaggle's CSV
  convoy train flowers --data-dir pictures/flowers  your own pictures, a sub-folder for each class
  convoy describe cifar10                           the network's layers, with their arithmetic
  convoy evaluate models/cifar10/2/model.onnx       how good a file is, by ONNX Runtime
  convoy convert models/cifar10/2/model.onnx --precision int8
  convoy submit models/mnist/2/model.onnx kaggle/test.csv
"""


def main(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: without the program's name. A first word that is no command is a data set to train on.

    Returns:
        The exit status: 0; 2 where something is wrong that the message explains; 130 after Ctrl-C.
    """
    words = list(arguments)
    if words and not words[0].startswith("-") and words[0] not in _COMMANDS:
        words.insert(0, "train")
    options = _parser().parse_args(words)
    # Before TensorFlow and ONNX Runtime are imported: no banners, no telemetry.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("\nstopped: the same command goes on from the last whole epoch", file=sys.stderr)
        return 130
    except TrainingError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {one_line(place + reason(error))}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convoy",
        description="From a data set to a calibrated ONNX classifier that says what it is.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        required=True, metavar="{DATA SET, import, describe, evaluate, calibrate, convert, submit}"
    )
    _add_train(commands.add_parser("train", help="train, calibrate, export, measure (the word may be left out)"))
    add_import_arguments(commands.add_parser("import", help="serve a classifier that something else trained"))
    _add_describe(commands.add_parser("describe", help="a table of the network's layers"))
    _add_evaluate(commands.add_parser("evaluate", help="measure an exported file by ONNX Runtime"))
    _add_calibrate(commands.add_parser("calibrate", help="fit thresholds for decisions on held-out pictures"))
    _add_export(
        commands.add_parser(
            "convert", aliases=["export"], help="the same model in fewer bits, measured, under a name of its own"
        )
    )
    _add_submit(commands.add_parser("submit", help="write Kaggle's submission.csv"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="DATA_SET", help="cifar10, mnist, or a name for your own pictures")
    parser.add_argument(
        "--recipe",
        help="notebook, best or accurate (default: notebook for cifar10 and mnist, best for your own pictures)",
    )
    _add_data_dir(parser)
    parser.add_argument("--epochs", type=int, help="passes over the training images (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    parser.add_argument("--out", type=Path, help=f"model repository (default: {_MODELS}; {_TRIALS} with --limit)")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="a trial: only the first N pictures of each set, to see that all works"
    )
    parser.add_argument("--version", help="a whole number; one that is there is replaced (default: the next free one)")
    parser.add_argument("--run-dir", type=Path, help="of the checkpoint (default: runs/<name>-<recipe>-<seed>)")
    parser.add_argument("--fresh", action="store_true", help="begin anew instead of going on from a checkpoint")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard logs there")
    parser.add_argument(
        "--mirrored-view",
        action="store_true",
        help="the file answers from each picture and its mirror image: somewhat more accurate, at twice the cost",
    )
    parser.add_argument(
        "--teacher", type=Path, metavar="MODEL.onnx", help="learn the answers of this model of the same classes"
    )
    own = parser.add_argument_group("your own pictures")
    own.add_argument("--size", type=int, default=32, help="width and height of the input (default: %(default)s)")
    own.add_argument("--color-mode", choices=("RGB", "L"), default="RGB", help="colour or grey (default: %(default)s)")
    own.add_argument("--licence", default="Not stated.", help="of the pictures, for the model card")
    own.add_argument("--citation", default="Not stated.", help="of the pictures, for the model card")
    parser.set_defaults(run=_train)


def _add_describe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("architecture", choices=_BUILT_IN)
    parser.set_defaults(run=_describe)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    _add_data_dir(parser)
    parser.add_argument(
        "--part", choices=("test", "all"), default="test", help="the test set, or that and the training set"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="draw the decisions' pictures there")
    parser.set_defaults(run=_evaluate)


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="gets more metadata; its graph stays as it is")
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="held-out pictures, a sub-folder for each class; or the data set that the model learned from, of which it "
        "says what it held out",
    )
    parser.set_defaults(run=_calibrate)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument(
        "--precision", choices=("float16", "int8"), required=True, help="float16 is for GPUs, int8 for CPUs"
    )
    _add_data_dir(parser)
    parser.add_argument("--out", type=Path, default=Path("models"), help="model repository (default: %(default)s)")
    parser.set_defaults(run=_export)


def _add_submit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("csv", type=Path, metavar="test.csv", help="Kaggle's 784 pixel columns, without labels")
    parser.add_argument("--out", type=Path, default=Path("submission.csv"), help="(default: %(default)s)")
    parser.set_defaults(run=_submit)


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="the publishers' files, Kaggle's train.csv, a folder of pictures, or a CSV or Parquet table of paths and "
        f"labels (default: {_DATA_DIR}/ where there is one, else keras.datasets)",
    )
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="go on without pictures that cannot be used, and write their names to skipped.tsv "
        "(training: in the run directory)",
    )


def _data_dir(options: argparse.Namespace) -> Path | None:
    if options.data_dir is None:
        return _DATA_DIR if _DATA_DIR.is_dir() else None
    given: Path = options.data_dir
    return given


def _train(options: argparse.Namespace) -> None:
    from training import recipes
    from training.data import sources
    from training.publish import next_version

    options.recipe = options.recipe or ("notebook" if options.name in _BUILT_IN else "best")
    as_written = recipes.find(options.name, options.recipe)
    recipe = as_written.with_epochs(options.epochs)
    trial = "" if options.limit is None else f"-limit-{options.limit}"
    run_directory = options.run_dir or Path("runs") / f"{options.name}-{recipe.name}-{options.seed}{trial}"
    skipped = run_directory / "skipped.tsv" if options.skip_bad else None
    own = sources.OwnPictures(options.size, options.color_mode, options.licence, options.citation, skipped)
    data = sources.load(options.name, _data_dir(options), own)
    if options.limit is not None:
        data, recipe = data.limited(options.limit), recipe.for_trial()
    repository = options.out or (_TRIALS if trial else _MODELS)

    from training.card import HowMade, interval
    from training.temperature import LEAST_IMAGES
    from training.train import TrainingJob, train

    version = options.version or next_version(repository, options.name)
    job = TrainingJob(
        name=options.name,
        version=version,
        made=HowMade(_command(options, version), as_written.epochs),
        recipe=recipe,
        seed=options.seed,
        repository=repository,
        run_directory=run_directory,
        fresh=options.fresh,
        tensorboard=options.tensorboard,
        mirrored_view=options.mirrored_view,
        teacher=options.teacher,
    )
    model = train(job, data)
    score, raw = model.evaluation, model.uncalibrated
    assert score is not None and raw is not None  # noqa: S101, PT018  training has just measured both
    if (held_out := model.training["validation_images"]) < LEAST_IMAGES:
        print(
            f"warning: {held_out} validation pictures are too few to calibrate on (at least {LEAST_IMAGES} are "
            "needed): the temperature stays 1",
            file=sys.stderr,
        )
    print(
        f"{repository / model.name / model.version}: accuracy {score.accuracy:.2%} ({interval(score)}) on "
        f"{score.images} test images, calibration error {score.expected_calibration_error:.2%} "
        f"({raw.expected_calibration_error:.2%} before temperature {model.temperature:.3f})"
    )


def _command(options: argparse.Namespace, version: str) -> str:
    """The command that makes a version anew, without where its data and checkpoints happen to be."""
    words = ["convoy train", options.name, "--recipe", options.recipe]
    if options.epochs is not None:
        words += ["--epochs", str(options.epochs)]
    if options.limit is not None:
        words += ["--limit", str(options.limit)]
    if options.mirrored_view:
        words.append("--mirrored-view")
    if options.teacher is not None:
        words += ["--teacher", str(options.teacher)]
    words += ["--seed", str(options.seed), "--version", version]
    if options.name not in _BUILT_IN:
        words += ["--data-dir PICTURES", "--size", str(options.size), "--color-mode", options.color_mode]
        words += ["--skip-bad"] * options.skip_bad
    return " ".join(words)


def _describe(options: argparse.Namespace) -> None:
    from training.describe import describe

    describe(options.architecture)


def _evaluate(options: argparse.Namespace) -> None:
    from training.evaluate import evaluate

    skipped = Path("skipped.tsv") if options.skip_bad else None
    evaluate(
        options.model,
        _data_dir(options),
        part=options.part,
        as_json=options.json,
        figures=options.figures,
        skipped=skipped,
    )


def _calibrate(options: argparse.Namespace) -> None:
    from training.decisions import calibrate
    from training.trust import trust_section

    said, trust = calibrate(options.model, options.folder)
    if said.conformal is None:
        print(f"{options.model}: too few held-out pictures for any level; 100 are needed for 0.9, 1,000 for 0.99")
    else:
        levels = ", ".join(f"{level.coverage:g}" for level in said.conformal.levels)
        print(f"{options.model}: coverage {levels}, from {said.conformal.images} held-out pictures")
    if trust is not None:
        print(trust_section(said, trust), end="")


def _export(options: argparse.Namespace) -> None:
    from training.convert import convert

    skipped = Path("skipped.tsv") if options.skip_bad else None
    made = convert(options.model, options.precision, _data_dir(options), options.out, skipped=skipped)
    print(
        f"{options.out / made.metadata.name / made.metadata.version}: accuracy {made.after.evaluation.accuracy:.2%} "
        f"({made.before.evaluation.accuracy:.2%} before) on {made.after.evaluation.images} test images by the CPU, "
        f"same class {made.same_class:.2%}, largest difference {made.largest_difference:.4f}"
    )


def _submit(options: argparse.Namespace) -> None:
    from training.submit import submit

    rows = submit(options.model, options.csv, options.out)
    print(f"{options.out}: {rows} predictions")
