"""The command ``convoy score``: its options, its output and its exit status.

Exit status: 0 for success; 3 if some pictures could not be scored; 2 for wrong use, a damaged input or a table that
cannot be written; 130 or 143 after SIGINT or SIGTERM, when the run can be resumed.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final, get_args

from tqdm import tqdm

from imaging import Limits
from service.errors import ConvoyError, ModelNotFoundError, ModelRefusedError, ScoringError
from service.inference import GpuPolicy, ModelKey, choose_provider
from service.inference.providers import ProviderChoice
from service.inference.repository_files import survey
from service.scoring.columns import OUTPUTS
from service.scoring.parts import is_begun, is_error_list
from service.scoring.run import ScoreJob, ScoreRun, StartPool, Summary, confusion_file, start_processes
from service.scoring.sources import is_input
from service.scoring.worker import WorkerSpec, open_model
from service.settings import Settings
from service.workers.cores import available_cores

_SOME_FAILED: Final = 3
_WRONG_USE: Final = 2
_INTERRUPTED: Final = 130
_TERMINATED: Final = 143
_LEARNT: Final = "learnt.json"  # training/data/learnt_pictures.py writes it


class _Terminated(KeyboardInterrupt):
    """Raised at SIGTERM: the run and its workers end as with Ctrl-C."""


_EXAMPLES: Final = """\
examples:
  convoy score photos/ --model cifar10 --out predictions.csv
  convoy score 'photos/**/*.jpg' --model cifar10 --out predictions.parquet --topk 3
  convoy score table.csv --column path --model flowers --out answers.jsonl --output all
  find . -name '*.png' | convoy score - --model mnist --out digits.csv --output label
  convoy score test/ --model flowers --out test.csv --labels-from-folders
"""


def main(
    arguments: Sequence[str],
    start_pool: StartPool = start_processes,
    count_workers: Callable[[], int] = available_cores,
) -> int:
    """Runs the command.

    Args:
        arguments: without ``score``.
        start_pool: makes the pool that scores the pictures.
        count_workers: gives the number of workers where ``--workers`` is not set.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    started = time.perf_counter()
    try:
        summary = _score(options, start_pool, count_workers)
    except ConvoyError as error:
        print(f"convoy score: {error}", file=sys.stderr)
        return _WRONG_USE
    except OSError as error:  # a name that is too long, a folder without permission, a full disk
        print(f"convoy score: {error.filename or options.out}: {error.strerror or error}", file=sys.stderr)
        return _WRONG_USE
    except KeyboardInterrupt as interrupt:
        kept = f"{options.out}.parts has the finished part, and --resume continues from it"
        said = kept if is_begun(options.out) else "there is nothing to resume"
        print(f"\nconvoy score: interrupted; {said}", file=sys.stderr)
        return _TERMINATED if isinstance(interrupt, _Terminated) else _INTERRUPTED
    rate = (summary.scored + summary.faults) / (time.perf_counter() - started)
    print(f"{_told(summary.scored)} in {options.out}, {rate:.0f} a second")
    if summary.confusion is not None and summary.confusion.total:
        print(f"accuracy {summary.confusion.accuracy()}; {confusion_file(options.out)} has the rest")
    if summary.faults:
        print(f"{_told(summary.faults)} could not be scored: {_errors(options)} says why", file=sys.stderr)
        return _SOME_FAILED
    return 0


def _score(options: argparse.Namespace, start_pool: StartPool, count_workers: Callable[[], int]) -> Summary:
    _check_files(options)
    name, version = _find_model(options.models_dir, options.model, options.version)
    limits = Limits(Settings.model_fields["max_pixels"].default, Settings.model_fields["max_reducible_pixels"].default)
    gpu = GpuPolicy(memory_limit_bytes=Settings.model_fields["gpu_memory_limit_bytes"].default, cuda_graphs=True)
    provider = choose_provider(options.execution_provider)
    spec = WorkerSpec(options.models_dir, name, version, provider, options.batch_size, limits, gpu)
    try:
        loaded = open_model(spec)  # so that errors of the model come before any picture is read
    except ModelRefusedError as error:
        hint = "" if options.version else "; --version names another version"
        raise ModelRefusedError(f"{error}{hint}") from error
    metadata, sha256 = loaded.metadata, loaded.source.sha256
    is_trained_here = loaded.source.path.with_name(_LEARNT).is_file()
    del loaded  # the workers have their own
    job = ScoreJob(
        source=options.input,
        column=options.column,
        out=options.out,
        errors=_errors(options),
        output=options.output,
        top_k=options.topk,
        labels_from_folders=options.labels_from_folders,
        resume=options.resume,
        workers=options.workers or count_workers(),
    )
    run = ScoreRun(job, replace(spec, sha256=sha256), metadata, sha256, start_pool)
    total = None if options.no_count else run.count()
    if total == 0:
        raise ScoringError(f"{options.input}: there are no pictures in it")
    with tqdm(total=total, unit=" pictures", smoothing=0.05, disable=None, file=sys.stderr) as bar:
        summary = run.run(bar.update)
    if is_trained_here and options.labels_from_folders:
        print(
            f"pictures that {name} learnt from count too: if {options.input} has any, the accuracy is too high. "
            f"`convoy evaluate` leaves out those that its {_LEARNT} lists",
            file=sys.stderr,
        )
    return summary


def _check_files(options: argparse.Namespace) -> None:
    """Checks that the run overwrites no file without ``--overwrite``, and that its list of errors has a folder.

    A list of errors is replaced or removed without being asked for. So another file in its place is never touched.

    Raises:
        ScoringError: a file would be overwritten, or the folder cannot be made.
    """
    files = {"--out": options.out, "--errors": _errors(options)}
    if options.labels_from_folders:
        files["the confusion of"] = confusion_file(options.out)
    may_replace = options.overwrite or (options.resume and is_begun(options.out))
    for word, path in files.items():
        if path.exists():
            _check_replaced(word, path, options.input, may_replace=may_replace)
    if len({path.absolute() for path in files.values()}) < len(files):
        raise ScoringError(f"--errors {_errors(options)} has to be another file than the table's")
    try:
        _errors(options).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScoringError(f"--errors {_errors(options)}: {error.strerror}") from error


def _check_replaced(word: str, path: Path, source: str, *, may_replace: bool) -> None:
    """Checks that a file which exists already may be replaced.

    Raises:
        ScoringError: it is the input, a folder, or another file than one of an earlier run that may be replaced.
    """
    if is_input(path, source):
        raise ScoringError(f"{word} {path} is the input, which would be lost")
    if path.is_dir():
        raise ScoringError(f"{word} {path} is a folder; the name of a file is needed")
    if word == "--errors" and not is_error_list(path):
        raise ScoringError(f"{path} is there already, and no list of errors; --errors names another file")
    if may_replace:
        return
    if word != "--errors":
        raise ScoringError(f"{word} {path} is there already; --overwrite replaces it")
    print(f"{path}, the list of errors of an earlier run, will be replaced", file=sys.stderr)


def _errors(options: argparse.Namespace) -> Path:
    path: Path = options.errors or options.out.with_suffix(".errors.csv")
    return path


def _find_model(root: Path, name: str, version: str | None) -> ModelKey:
    """The version of the option, or the one with which the service would answer.

    Raises:
        ModelNotFoundError: there is none; the message says which there are.
    """
    try:
        found = survey(root)
    except OSError as error:
        raise ModelNotFoundError(f"--models-dir {root}: {error.strerror}") from error
    versions = [there for model, there in found.files if model == name]
    if not versions:
        names = ", ".join(sorted({model for model, _ in found.files})) or "none"
        raise ModelNotFoundError(f"--model {name}: {root} has no such model; it has {names}")
    chosen = version or found.default_versions.get(name) or versions[-1]
    if chosen not in versions and version is None:
        raise ModelNotFoundError(
            f"the file default_version of model {name} says {chosen!r}; the model has {', '.join(versions)}, and "
            "--version names one of them"
        )
    if chosen not in versions:
        raise ModelNotFoundError(f"--version {chosen}: model {name} has {', '.join(versions)}")
    return name, chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convoy score",
        description="Scores a folder, an archive or a list of pictures, and writes a table of predictions.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
    )
    parser.add_argument("input", metavar="INPUT", help="folder, pattern, .txt list, .csv, .zip, .tar, or - for a list")
    parser.add_argument("--model", required=True, help="name of the model")
    parser.add_argument("--out", required=True, type=Path, help="the table: .csv, .jsonl or .parquet")
    parser.add_argument("--version", help="of the model (default: that of the file default_version, else the newest)")
    parser.add_argument("--models-dir", type=Path, default=Path("models"), help="model repository (default: models)")
    table = parser.add_argument_group("the table")
    table.add_argument("--output", choices=OUTPUTS, default="top", help="columns (default: %(default)s)")
    table.add_argument("--topk", type=_count, default=1, metavar="K", help="labels listed (default: %(default)s)")
    table.add_argument("--errors", type=Path, help="pictures without a prediction (default: <OUT>.errors.csv)")
    table.add_argument("--column", help="column of a .csv INPUT that has the paths")
    table.add_argument("--labels-from-folders", action="store_true", help="a picture's folder is its label: accuracy")
    run = parser.add_argument_group("the run")
    run.add_argument("--resume", action="store_true", help="continue a run that was stopped")
    run.add_argument("--overwrite", action="store_true", help="replace OUT and a list of errors that exist")
    run.add_argument("--batch-size", type=_count, help="pictures in one run of the network (default: measured)")
    run.add_argument("--workers", type=_count, help="processes (default: one for each core)")
    run.add_argument("--no-count", action="store_true", help="begin at once; the bar has no total and no time left")
    run.add_argument("--execution-provider", choices=get_args(ProviderChoice), default="auto", help="as of the service")
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _told(pictures: int) -> str:
    return "1 picture" if pictures == 1 else f"{pictures} pictures"


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated
