"""The whole way on one screen: data set and recipe -> network -> temperature -> ONNX file -> measured -> published."""

import dataclasses
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from contract import Evaluation, GoldenImage, ModelMetadata, is_model_name
from training import provenance
from training.calibrate import logits_of
from training.card import HowMade, write_card
from training.data.dataset import DataSet
from training.decisions import SECTION, decide
from training.errors import RecipeError
from training.export import check_parity, to_onnx
from training.figures.album import CAPTIONS, draw_album
from training.fit import Fitted, fit, run_identity
from training.held_out import LEAST_FAMILIAR
from training.measurement import Measurement, measure
from training.onnx_classifier import OnnxClassifier
from training.onnx_file import features_shape, with_metadata
from training.publish import check_version, publishing
from training.recipes.recipe import Recipe
from training.run_directory import RunDirectory
from training.scores import reference
from training.teacher import Teacher
from training.temperature import fit_temperature
from training.trust import measure_trust, trust_section

_GOLDEN_IMAGES = 10
_PARITY_IMAGES = 1000
_MIRRORED = "Each answer comes from the mean logits of the picture and its mirror image, inside the graph."


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What is to be made.

    Attributes:
        name: the model's.
        version: a whole number from 1 upwards.
        recipe: how to train.
        seed: of all random numbers.
        repository: ``models/``, where the version appears.
        made: the command, for the model card.
        run_directory: where checkpoints are kept.
        fresh: forget what checkpoint is there.
        tensorboard: where to write TensorBoard logs; None for none.
        teacher: an exported file whose answers are learnt; None for the true classes.
        mirrored_view: the served graph answers from each picture and its mirror image, at twice the cost.

    Raises:
        RecipeError: the name or the version cannot be.
    """

    name: str
    version: str
    recipe: Recipe
    seed: int
    repository: Path
    made: HowMade
    run_directory: Path
    fresh: bool = False
    tensorboard: Path | None = None
    mirrored_view: bool = False
    teacher: Path | None = None

    def __post_init__(self) -> None:
        # Now, rather than when hours of training are to be published.
        if not is_model_name(self.name):
            raise RecipeError(f"{self.name!r} cannot be a model's name: a-z, 0-9, '.', '_' and '-', 64 at most")
        check_version(self.version)


def train(job: TrainingJob, data: DataSet) -> ModelMetadata:
    """Trains, calibrates, exports, measures and publishes one version of a model.

    Args:
        job: what is to be made.
        data: what it learns from, and what it is measured on.

    Returns:
        What the published file says about itself.

    Raises:
        TrainingError: see :mod:`training.errors`; nothing is published then.
    """
    teacher = None if job.teacher is None else Teacher(job.teacher, data)
    run = RunDirectory(job.run_directory, run_identity(job.recipe, data, job.seed, teacher))
    if job.fresh:
        run.discard()
    fitted = fit(job.recipe, data, run, seed=job.seed, teacher=teacher, tensorboard=job.tensorboard)
    views = job.mirrored_view
    logits = logits_of(fitted.network, fitted.validation, mirrored_view=views)
    for_temperature, for_decisions = _halves(len(fitted.validation))
    temperature = fit_temperature(logits[for_temperature], fitted.validation.classes[for_temperature])

    uncalibrated = to_onnx(fitted.network, 1.0, mirrored_view=views)
    compared = data.test.take(slice(_PARITY_IMAGES))
    parity = check_parity(uncalibrated, fitted.network, compared, mirrored_view=views)
    raw = measure(OnnxClassifier(uncalibrated.SerializeToString()), data.test, data.labels)
    graph = to_onnx(fitted.network, temperature, mirrored_view=views)
    served = OnnxClassifier(graph.SerializeToString())
    test, validation = (measure(served, images, data.labels) for images in (data.test, fitted.validation))

    metadata = _metadata(job, data, fitted, raw=raw, test=test, temperature=temperature)
    metadata = dataclasses.replace(metadata, features=features_shape(graph))
    metadata = decide(served, metadata, fitted.validation.take(for_decisions))
    trust = measure_trust(test.probabilities, test.images.classes, metadata)
    with publishing(job.repository, job.name, job.version) as folder:
        (folder / "model.onnx").write_bytes(with_metadata(graph, metadata))
        # What training can go on from elsewhere: pixels divided by 255 in, uncalibrated probabilities out.
        _keep_network(fitted.network, folder / "model.keras")
        record = {
            "name": job.name,
            "version": job.version,
            "test": test.to_json(),
            "test_uncalibrated": _with_interval(raw.evaluation),
            "validation": _with_interval(validation.evaluation),
            "decisions": trust.to_json(),
            "temperature": temperature,
            "parity": {"images": min(_PARITY_IMAGES, len(data.test)), "largest_difference": parity},
            "training": metadata.training,
            "history": fitted.history,
            "commit": metadata.commit,
            "created": metadata.created,
        }
        (folder / "metrics.json").write_text(json.dumps(record, indent=2) + "\n")
        draw_album(
            folder / "figures",
            recipe=job.recipe,
            data_set=data,
            fitted=fitted,
            raw=raw,
            test=test,
            temperature=temperature,
            seed=job.seed,
        )
        card = write_card(metadata, test=test, validation=validation.evaluation, made=job.made, captions=CAPTIONS)
        (folder / "MODEL_CARD.md").write_text(f"{card.rstrip()}\n\n{SECTION}\n\n{trust_section(metadata, trust)}")
    return metadata


def _halves(count: int) -> tuple[slice, slice]:
    """Which held-out pictures fit the temperature, and which the thresholds of decisions: every other one each.

    Of few pictures all fit the temperature; the thresholds, which need 100 of their own, are left out.
    """
    if count < 2 * LEAST_FAMILIAR:
        return slice(None), slice(0, 1)
    return slice(0, None, 2), slice(1, None, 2)


def _keep_network(network: keras.Sequential, path: Path) -> None:
    # Keras asks its variables for arrays in a way that NumPy 2 finds old.
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        network.save(path, include_optimizer=False)


def _with_interval(score: Evaluation) -> dict[str, Any]:
    return asdict(score) | {"accuracy_interval": list(score.accuracy_interval)}


def _metadata(
    job: TrainingJob, data: DataSet, fitted: Fitted, *, raw: Measurement, test: Measurement, temperature: float
) -> ModelMetadata:
    height, width, _ = data.input_shape
    return ModelMetadata(
        name=job.name,
        version=job.version,
        labels=data.labels,
        height=height,
        width=width,
        color_mode=data.color_mode,
        fit=data.fit,
        polarity=data.polarity,
        temperature=temperature,
        data=data.source,
        training={
            "recipe": job.recipe.to_json(),
            "seed": job.seed,
            "best_epoch": fitted.best_epoch,
            "training_images": len(fitted.train),
            "validation_images": len(fitted.validation),
            "notes": list(data.notes) + ([_MIRRORED] if job.mirrored_view else []),
            "libraries": provenance.versions(),
        },
        evaluation=test.evaluation,
        uncalibrated=raw.evaluation,
        reference=reference(test.probabilities),
        golden=_golden(test),
        commit=provenance.commit(),
        created=provenance.now(),
    )


def _golden(test: Measurement) -> tuple[GoldenImage, ...]:
    """The first test image of each class, ten classes at most."""
    classes = np.unique(test.images.classes)[:_GOLDEN_IMAGES]
    rows = [int(np.argmax(test.images.classes == index)) for index in classes]
    return tuple(
        GoldenImage(
            pixels=test.images.pixels[row].tobytes(),
            label=test.labels[test.images.classes[row]],
            probabilities=tuple(test.probabilities[row].tolist()),
        )
        for row in rows
    )
