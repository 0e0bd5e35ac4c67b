"""The command ``convoy score``: its options, what it prints, and its exit status.

Exit status: 0; 3 where some pictures could not be scored; 2 for wrong use, a damaged input or a table that cannot be
written; 130 where it was interrupted, and can be resumed.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, get_args

from tqdm import tqdm

from imaging import Limits
from service.errors import ConvoyError, ModelNotFoundError, ScoringError
from service.inference import GpuPolicy, ModelKey, choose_provider
from service.inference.providers import ProviderChoice
from service.inference.repository_files import MODEL_FILE, survey
from service.scoring.columns import OUTPUTS
from service.scoring.run import ScoreJob, ScoreRun, StartPool, Summary, start_processes
from service.scoring.sources import count_pictures
from service.scoring.worker import WorkerSpec, open_session
from service.settings import Settings
from service.workers.cores import available_cores

_SOME_FAILED: Final = 3
_WRONG_USE: Final = 2
_INTERRUPTED: Final = 130

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
        start_pool: makes what scores the pictures.
        count_workers: says how many workers there are where ``--workers`` is not given.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    started = time.perf_counter()
    try:
        summary = _score(options, start_pool, count_workers)
    except ConvoyError as error:
        print(f"convoy score: {error}", file=sys.stderr)
        return _WRONG_USE
    except KeyboardInterrupt:
        print(f"\nconvoy score: interrupted; --resume goes on, {options.out}.parts has what is done", file=sys.stderr)
        return _INTERRUPTED
    seconds = time.perf_counter() - started
    print(f"{summary.scored} pictures in {options.out}, {(summary.scored + summary.faults) / seconds:.0f} a second")
    if summary.confusion is not None and summary.confusion.total:
        print(f"accuracy {summary.confusion.accuracy()}; {options.out.with_suffix('.confusion.csv')} has the rest")
    if summary.faults:
        print(f"{summary.faults} pictures could not be scored: {_errors(options)} says why", file=sys.stderr)
        return _SOME_FAILED
    return 0


def _score(options: argparse.Namespace, start_pool: StartPool, count_workers: Callable[[], int]) -> Summary:
    if options.out.exists() and not options.overwrite:
        raise ScoringError(f"--out {options.out} is there already; --overwrite replaces it")
    name, version = _find_model(options.models_dir, options.model, options.version)
    limits = Limits(Settings.model_fields["max_pixels"].default, Settings.model_fields["max_reducible_pixels"].default)
    gpu = GpuPolicy(memory_limit_bytes=Settings.model_fields["gpu_memory_limit_bytes"].default, cuda_graphs=True)
    provider = choose_provider(options.execution_provider)
    spec = WorkerSpec(options.models_dir, name, version, provider, options.batch_size, limits, gpu)
    metadata = open_session(spec).metadata  # its faults are said before any picture is read
    model = (options.models_dir / name / version / MODEL_FILE).read_bytes()
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
    run = ScoreRun(job, spec, metadata, hashlib.sha256(model).hexdigest(), start_pool)
    total = None if options.no_count else count_pictures(options.input, options.column)
    if total == 0:
        raise ScoringError(f"{options.input}: there are no pictures in it")
    with tqdm(total=total, unit=" pictures", smoothing=0.05, disable=None, file=sys.stderr) as bar:
        return run.run(bar.update)


def _errors(options: argparse.Namespace) -> Path:
    path: Path = options.errors or options.out.with_name("errors.csv")
    return path


def _find_model(root: Path, name: str, version: str | None) -> ModelKey:
    """The version that is asked for, or the one that the service would answer with.

    Raises:
        ModelNotFoundError: there is none; says which there are.
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
    parser.add_argument("--version", help="of the model (default: the one that the service answers with)")
    parser.add_argument("--models-dir", type=Path, default=Path("models"), help="model repository (default: models)")
    table = parser.add_argument_group("the table")
    table.add_argument("--output", choices=OUTPUTS, default="top", help="columns (default: %(default)s)")
    table.add_argument("--topk", type=_count, default=1, metavar="K", help="labels listed (default: %(default)s)")
    table.add_argument("--errors", type=Path, help="pictures without a prediction (default: errors.csv beside OUT)")
    table.add_argument("--column", help="of a .csv INPUT that holds the paths")
    table.add_argument("--labels-from-folders", action="store_true", help="a picture's folder is its label: accuracy")
    run = parser.add_argument_group("the run")
    run.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    run.add_argument("--overwrite", action="store_true", help="replace OUT where it is there")
    run.add_argument("--batch-size", type=_count, help="pictures in one run of the network (default: measured)")
    run.add_argument("--workers", type=_count, help="processes (default: one for each core)")
    run.add_argument("--no-count", action="store_true", help="begin at once: no total, and no time left, in the bar")
    run.add_argument("--execution-provider", choices=get_args(ProviderChoice), default="auto", help="as of the service")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
