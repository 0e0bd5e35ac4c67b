"""The command ``convoy train``: its options, what it prints, and where its data lies."""

# ruff: noqa: PLC0415  # imports wait until the command needs them

import argparse
import sys
from pathlib import Path

BUILT_IN = ("cifar10", "mnist")
_DATA_DIR = Path("data")
_MODELS, _TRIALS = Path("models"), Path("runs/trials")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("name", metavar="DATA_SET", help="cifar10, mnist, or a name for your own pictures")
    parser.add_argument(
        "--recipe",
        help="notebook, best or accurate (default: notebook for cifar10 and mnist, best for your own pictures)",
    )
    add_data_dir(parser)
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
    parser.set_defaults(run=run)


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Declares where pictures lie, for every command that reads some."""
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


def data_dir(options: argparse.Namespace) -> Path | None:
    """The folder or file of the pictures; None where Keras keeps them."""
    if options.data_dir is None:
        return _DATA_DIR if _DATA_DIR.is_dir() else None
    given: Path = options.data_dir
    return given


def run(options: argparse.Namespace) -> None:
    """Trains one version and says how good it is."""
    from training import recipes
    from training.data import sources
    from training.publish import next_version

    options.recipe = options.recipe or ("notebook" if options.name in BUILT_IN else "best")
    as_written = recipes.find(options.name, options.recipe)
    recipe = as_written.with_epochs(options.epochs)
    trial = "" if options.limit is None else f"-limit-{options.limit}"
    run_directory = options.run_dir or Path("runs") / f"{options.name}-{recipe.name}-{options.seed}{trial}"
    skipped = run_directory / "skipped.tsv" if options.skip_bad else None
    own = sources.OwnPictures(options.size, options.color_mode, options.licence, options.citation, skipped)
    data = sources.load(options.name, data_dir(options), own)
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
    if options.name not in BUILT_IN:
        words += ["--data-dir PICTURES", "--size", str(options.size), "--color-mode", options.color_mode]
        words += ["--skip-bad"] * options.skip_bad
    return " ".join(words)
