"""Trains the network of a job, and fits its temperature on the answers for pictures that were not learnt from.

::

    job ─┬─ one split ─────────────────────────> network, logits of the validation split
         └─ folds ─> logits of every picture ─┐
                     all pictures ─────────────┴> network
"""

from dataclasses import dataclass
from pathlib import Path

from training.architectures import ARCHITECTURES
from training.calibrate import logits_of
from training.cross_validation import CrossValidated, cross_validate
from training.data.dataset import DataSet, LabelledImages
from training.errors import DataError
from training.fit import Fitted, fit, run_identity
from training.held_out import halves
from training.run_directory import RunDirectory, used_alone
from training.teacher import Teacher
from training.temperature import fit_temperature
from training.training_job import TrainingJob
from training.transfer import fit_backbone


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """The result of training and calibration.

    Attributes:
        fitted: the network that is published.
        temperature: fitted on what was held out.
        held_out: the pictures of the validation split; None with cross-validation, where all are learnt from.
        for_decisions: the held-out pictures that the temperature was not fitted on; only one where there are too few.
        crossed: the measurements of cross-validation; None with one split.
    """

    fitted: Fitted
    temperature: float
    held_out: LabelledImages | None
    for_decisions: LabelledImages | None
    crossed: CrossValidated | None


def learn(job: TrainingJob, data: DataSet) -> Learnt:
    """Trains one network, and with cross-validation one more for each fold.

    Raises:
        RunError: another training uses the run directory.
    """
    with used_alone(job.run_directory):
        return _learn(job, data)


def _learn(job: TrainingJob, data: DataSet) -> Learnt:
    teacher = None if job.teacher is None else Teacher(job.teacher, data)
    views = job.mirrored_view
    if job.folds == 1:
        fitted = _fit(job, data, job.run_directory, teacher)
        held_out = fitted.validation
        if held_out is None:
            raise DataError(f"{data.name}: nothing was held out")
        logits = logits_of(fitted.network, held_out, mirrored_view=views)
        for_temperature, for_decisions = halves(len(held_out))
        temperature = fit_temperature(logits[for_temperature], held_out.classes[for_temperature])
        return Learnt(fitted, temperature, held_out, held_out.take(for_decisions), None)

    def fit_fold(part: DataSet, folder: str) -> Fitted:
        return _fit(job, part, job.run_directory / folder, teacher)

    crossed = cross_validate(data, job.folds, fit_fold, mirrored_view=views)
    print(f"all folds are done: the network learns from all {len(data.train)} pictures", flush=True)
    fitted = _fit(job, data, job.run_directory / "all", teacher, keep_epoch=job.recipe.epochs)
    return Learnt(fitted, fit_temperature(crossed.logits, crossed.classes), None, None, crossed)


def _fit(
    job: TrainingJob, data: DataSet, place: Path, teacher: Teacher | None, keep_epoch: int | None = None
) -> Fitted:
    # Defaults are None and so left out, so that runs begun before these settings existed can be resumed.
    start = job.start_from
    identity = {
        "precision": None if job.policy == "float32" else job.policy,
        "kept epoch": keep_epoch,
        "first weights": None if start is None else start.fingerprint,
    }
    if job.backbone is not None:
        return fit_backbone(
            job.recipe,
            data,
            place,
            backbone=job.backbone,
            seed=job.seed,
            teacher=teacher,
            fresh=job.fresh,
            keep_epoch=keep_epoch,
            identity=identity,
            tensorboard=job.tensorboard,
            policy=job.policy,
        )
    build = ARCHITECTURES[job.recipe.architecture]
    run = RunDirectory(place, run_identity(job.recipe, data, job.seed, teacher, **identity))
    if job.fresh:
        run.discard()
    return fit(
        job.recipe,
        data,
        run,
        seed=job.seed,
        teacher=teacher,
        tensorboard=job.tensorboard,
        policy=job.policy,
        keep_epoch=keep_epoch,
        network=None if start is None else lambda: start.give(build(data.input_shape, len(data.labels))),
    )
