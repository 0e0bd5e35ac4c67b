"""The command ``convoy train``: its options, what it prints, and where it finds its data."""

# ruff: noqa: PLC0415  # imports wait until the command needs them

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.backbone import Backbone
    from training.data.dataset import DataSet
    from training.training_job import TrainingJob

_DATA_DIR = Path("data")
_SIDE = 32
_MOST_FOLDS = 20
_NOT_STATED = "Not stated."
_MODELS, _TRIALS = Path("models"), Path("runs/trials")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("name", metavar="DATA_SET", help="cifar10, mnist, or a name for your own pictures")
    parser.add_argument(
        "--recipe",
        help="notebook, best, accurate, compact or backbone (default: notebook for cifar10 and mnist, best for your "
        "own pictures, backbone with --backbone)",
    )
    add_data_dir(parser)
    parser.add_argument("--epochs", type=int, help="passes over the training images (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    parser.add_argument("--out", type=Path, help=f"model repository (default: {_MODELS}; {_TRIALS} with --limit)")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="a trial: only N random pictures of each set, to see that all works"
    )
    parser.add_argument("--version", help="a whole number; an existing version is replaced (default: the next free)")
    parser.add_argument("--run-dir", type=Path, help="folder of the checkpoint (default: runs/<name>-<recipe>-<seed>)")
    parser.add_argument("--fresh", action="store_true", help="begin again instead of resuming from a checkpoint")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard logs there")
    parser.add_argument(
        "--mirrored-view",
        action="store_true",
        help="the file answers from each picture and its mirror image: somewhat more accurate, at twice the cost",
    )
    parser.add_argument(
        "--teacher", type=Path, metavar="MODEL.onnx", help="learn the answers of this model of the same classes"
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="MODEL.keras",
        help="begin with the weights of a network of the same recipe, such as the model.keras of an earlier version; "
        "pictures that it learnt from, by the learnt.json beside it, are not held out",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "mixed_float16", "mixed_bfloat16"),
        help="precision of training (default: mixed_float16 where every GPU has tensor cores, else "
        "float32; mixed_bfloat16 is faster on CPUs with AVX512-BF16); the file always computes in float32",
    )
    own = parser.add_argument_group("your own pictures")
    own.add_argument("--size", type=int, help=f"width and height of the input (default: {_SIDE}, or the backbone's)")
    own.add_argument("--color-mode", choices=("RGB", "L"), help="colour or grey (default: RGB, or the backbone's)")
    own.add_argument(
        "--backbone",
        metavar="NAME|FILE.keras",
        help="begin with a pretrained network: mobilenet_v3_small, efficientnet_v2_b0, or any Keras file",
    )
    own.add_argument(
        "--preprocessing", metavar="RULE", help="the pixel scaling that a backbone file expects: unit, signed, raw, ..."
    )
    own.add_argument(
        "--folds",
        type=int,
        metavar="K",
        help="cross-validation in K parts, 1 for one split (default: 5 where a class has fewer than 30 pictures to "
        "learn from, or the split fewer than 100, and there are 5 to 2,000 in all; else 1)",
    )
    own.add_argument("--licence", help="of the pictures, for the model card")
    own.add_argument("--citation", help="of the pictures, for the model card")
    parser.set_defaults(run=run)


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Declares the options of every command that reads pictures."""
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
    """Trains one version and prints its accuracy."""
    from training import recipes
    from training.data.sources import BUILT_IN
    from training.publish import check_writable

    _check(options)
    usual = "notebook" if options.name in BUILT_IN else "best" if options.backbone is None else "backbone"
    options.recipe = options.recipe or usual
    as_written = recipes.find(options.name, options.recipe)
    recipe = as_written.with_epochs(options.epochs)
    trial = "" if options.limit is None else f"-limit-{options.limit}"
    run_directory = options.run_dir or Path("runs") / f"{options.name}-{recipe.name}-{options.seed}{trial}"
    backbone = _backbone(options)
    repository = options.out or (_TRIALS if trial else _MODELS)
    check_writable(repository / options.name, run_directory)
    data = _load(options, run_directory, backbone)
    if options.limit is not None:
        data, recipe = data.limited(options.limit), recipe.for_trial()
    if backbone is not None:
        recipe = replace(recipe, architecture=f"backbone {backbone.origin}")

    from training.start_tensorflow import start_tensorflow

    start_tensorflow()
    from training.card import HowMade
    from training.continued import held_apart
    from training.cross_validation import are_few, folds_for, obstacle
    from training.initial_weights import KeptWeights
    from training.precision import gpu_capabilities, policy_for
    from training.repeat_command import repeating
    from training.train import train
    from training.train_result import print_result
    from training.training_job import TrainingJob

    start = None if options.start_from is None else KeptWeights.read(options.start_from)
    first = start if start is not None else backbone
    if first is not None and not (backbone is not None and backbone.is_named):
        if first.learnt is not None:
            _check_folds(options)
        data = held_apart(data, recipe.holdout, options.start_from or Path(options.backbone), first.learnt)
    one_split = options.folds is None and (options.name in BUILT_IN or options.limit is not None)
    job = TrainingJob(
        name=options.name,
        version=options.version,
        made=HowMade(repeating(options, data.input_shape[0], data.color_mode), as_written.epochs),
        recipe=recipe,
        seed=options.seed,
        repository=repository,
        run_directory=run_directory,
        fresh=options.fresh,
        tensorboard=options.tensorboard,
        mirrored_view=options.mirrored_view,
        teacher=options.teacher,
        backbone=backbone,
        start_from=start,
        policy=options.precision or policy_for(gpu_capabilities()),
        folds=1 if one_split else folds_for(data, recipe, options.folds),
    )
    _announce(job)
    if job.folds == 1 and options.folds is None and not one_split and are_few(data, recipe):
        print(
            f"few pictures of a class, but no cross-validation, since {obstacle(data, recipe)}: the figures vary much"
        )
    print_result(train(job, data), repository)


def _load(options: argparse.Namespace, run_directory: Path, backbone: "Backbone | None") -> "DataSet":
    """The data set in the input's shape and colours; with ``--skip-bad`` the run directory lists what is left out."""
    from training.data import sources
    from training.data.skip_list import SKIP_LIST, remove_skip_list

    height, width, _ = backbone.shape if backbone else (_SIDE if options.size is None else options.size, None, 3)
    color_mode = backbone.color_mode if backbone else options.color_mode or "RGB"
    licence, citation = (_stated(options, flag) for flag in ("licence", "citation"))
    skipped = run_directory / SKIP_LIST if options.skip_bad else None
    own = sources.OwnPictures(height, color_mode, licence, citation, skipped, width)
    data = sources.load(options.name, data_dir(options), own)
    if skipped is None:
        remove_skip_list(run_directory / SKIP_LIST)
    return data


def _announce(job: "TrainingJob") -> None:
    if job.folds > 1:
        print(
            f"cross-validation: {job.folds} networks learn, each from all but one of "
            f"{job.folds} parts, and one more from all (--folds 1 trains one, and holds a tenth out)"
        )
    if job.policy != "float32":
        print("the network learns in mixed precision, 16 and 32 bits; the file will compute in float32")


def _check(options: argparse.Namespace) -> None:
    """Refuses combinations of options that are not possible, before any data is read."""
    from contract import NAME_RULE, is_model_name
    from training.errors import ModelFileError, RecipeError
    from training.publish import check_version

    if not is_model_name(options.name):
        raise RecipeError(f"{options.name!r} cannot be a model's name: {NAME_RULE}")
    if options.version is not None:
        check_version(options.version)
    for flag, file in (("--start-from", options.start_from), ("--teacher", options.teacher)):
        if file is not None and not file.is_file():
            raise ModelFileError(f"{flag} {file}: there is no such file")
    if options.folds is not None and not 1 <= options.folds <= _MOST_FOLDS:
        raise RecipeError(f"--folds {options.folds}: 2 to {_MOST_FOLDS} are possible, or 1 for one split")
    _check_what_is_own(options)
    if not 0 <= options.seed < 1 << 32:
        raise RecipeError(f"--seed {options.seed}: 0 to {(1 << 32) - 1} are possible")
    if options.size is not None and options.size < 1:
        raise RecipeError(f"--size {options.size}: a number of pixels is needed")


def _check_what_is_own(options: argparse.Namespace) -> None:
    """Refuses the options for your own pictures where they have no effect or exclude each other."""
    from training.data.sources import BUILT_IN
    from training.errors import RecipeError

    if options.name in BUILT_IN:
        own = ("size", "color_mode", "licence", "citation")
        given = [flag for flag in own if getattr(options, flag) is not None] + ["skip_bad"] * options.skip_bad
        if given:
            raise RecipeError(
                f"--{given[0].replace('_', '-')} is for your own pictures; {options.name} has its own input and licence"
            )
    if options.backbone is not None and options.name in BUILT_IN:
        raise RecipeError(f"--backbone is for your own pictures; {options.name} has recipes of its own")
    if options.backbone is not None and options.start_from is not None:
        raise RecipeError("--backbone and --start-from both say what the network begins with: give one of them")
    if options.backbone is None and (options.recipe == "backbone" or options.preprocessing is not None):
        said = "--recipe backbone" if options.recipe == "backbone" else "--preprocessing"
        raise RecipeError(f"{said} needs --backbone: mobilenet_v3_small, efficientnet_v2_b0, or a Keras file")


def _check_folds(options: argparse.Namespace) -> None:
    from training.errors import RecipeError

    if (options.folds or 1) > 1:
        raise RecipeError(
            f"--folds {options.folds}: the first weights may have learnt from these pictures, so that folds cannot "
            "measure what was learnt; leave --folds out"
        )


def _stated(options: argparse.Namespace, flag: str) -> str:
    """The licence or citation in one line: BibTeX may have several."""
    from contract import MOST_LONG_CHARACTERS, is_text
    from training.errors import RecipeError

    given: str | None = getattr(options, flag)
    text = _NOT_STATED if given is None else " ".join(given.split())
    if not is_text(text, most=MOST_LONG_CHARACTERS):
        raise RecipeError(f"--{flag}: 1 to {MOST_LONG_CHARACTERS} characters are possible, without control characters")
    return text


def _backbone(options: argparse.Namespace) -> "Backbone | None":
    if options.backbone is None:
        return None
    from training.start_tensorflow import start_tensorflow

    start_tensorflow()
    from training.backbone import open_backbone

    size = None if options.size is None else (options.size, options.size)
    return open_backbone(
        options.backbone, size=size, color_mode=options.color_mode, preprocessing=options.preprocessing
    )
