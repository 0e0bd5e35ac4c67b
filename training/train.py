"""The steps of a training: data set and recipe -> network -> temperature -> ONNX file -> measured -> published."""

import dataclasses
import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from contract import Evaluation, ModelMetadata
from training import provenance
from training.card import write_card
from training.data.dataset import DataSet
from training.data.learnt_pictures import FILE, LearntPictures
from training.decisions import SECTION, decide
from training.export import check_parity, to_onnx
from training.familiar_features import with_familiarity
from training.figures.album import Shown, draw_album
from training.learning import Learnt, learn
from training.measurement import Measurement, measure
from training.onnx_classifier import OnnxClassifier
from training.onnx_file import features_shape, with_metadata
from training.publish import check_writable, publishing
from training.scores import reference
from training.training_job import TrainingJob
from training.transfer import phases
from training.trust import measure_trust, trust_section

_PARITY_IMAGES = 1000
_MIRRORED = "Each answer comes from the mean logits of the picture and its mirror image, inside the graph."


def train(job: TrainingJob, data: DataSet) -> ModelMetadata:
    """Trains, calibrates, exports, measures and publishes one version of a model.

    Args:
        job: the settings.
        data: the data set that the network learns from and is measured on.

    Returns:
        The metadata of the published file.

    Raises:
        TrainingError: see :mod:`training.errors`; nothing is published then.
    """
    check_writable(job.repository / job.name, job.run_directory)
    learnt = learn(job, data)
    network, temperature, views = learnt.fitted.network, learnt.temperature, job.mirrored_view

    uncalibrated = to_onnx(network, 1.0, mirrored_view=views)
    compared = data.test.take(slice(_PARITY_IMAGES))
    parity = check_parity(uncalibrated, network, compared, mirrored_view=views)
    raw = measure(OnnxClassifier(uncalibrated.SerializeToString()), data.test, data.labels)
    graph = uncalibrated if temperature == 1 else to_onnx(network, temperature, mirrored_view=views)
    served = OnnxClassifier(graph.SerializeToString())
    if learnt.for_decisions is not None:
        graph = with_familiarity(graph, served, learnt.fitted.train, learnt.for_decisions)
        served = OnnxClassifier(graph.SerializeToString())
    test = measure(served, data.test, data.labels)
    validation = _validation(learnt, served, data)

    metadata = _metadata(job, data, learnt, raw=raw, test=test)
    metadata = dataclasses.replace(metadata, features=features_shape(graph))
    if learnt.for_decisions is not None:
        metadata = decide(served, metadata, learnt.for_decisions)
    trust = measure_trust(test.probabilities, test.familiarity, test.images.classes, metadata)
    with publishing(job.repository, job.name, job.version) as folder:
        metadata = dataclasses.replace(metadata, version=folder.name)
        content = with_metadata(graph, metadata)
        (folder / "model.onnx").write_bytes(content)
        # For further training elsewhere: it takes pixels divided by 255 and gives uncalibrated probabilities.
        _keep_network(network, folder / "model.keras")
        if (record_of := _learnt_pictures(job, data, learnt)) is not None:
            (folder / FILE).write_text(record_of.to_json())
        record = {
            "name": job.name,
            "version": metadata.version,
            "test": test.to_json(),
            "test_uncalibrated": _with_interval(raw.evaluation),
            ("validation" if learnt.crossed is None else "cross_validation"): (
                _with_interval(validation) if learnt.crossed is None else learnt.crossed.to_json(temperature)
            ),
            "decisions": trust.to_json(),
            "temperature": temperature,
            "parity": {"images": min(_PARITY_IMAGES, len(data.test)), "largest_difference": parity},
            "training": metadata.training,
            "history": learnt.fitted.history if learnt.crossed is None else learnt.crossed.history,
            "commit": metadata.commit,
            "created": metadata.created,
        }
        (folder / "metrics.json").write_text(json.dumps(record, indent=2) + "\n")
        captions = draw_album(folder / "figures", Shown(metadata, record, content, data, raw, test))
        made = dataclasses.replace(job.made, command=f"{job.made.command} --version {metadata.version}")
        card = write_card(metadata, test=test, validation=validation, made=made, captions=captions)
        (folder / "MODEL_CARD.md").write_text(f"{card.rstrip()}\n\n{SECTION}\n\n{trust_section(metadata, trust)}")
    return metadata


def _learnt_pictures(job: TrainingJob, data: DataSet, learnt: Learnt) -> LearntPictures | None:
    """The record for your own pictures; None where the first weights may have learnt from others as well."""
    first = job.start_from if job.backbone is None else job.backbone
    from_imagenet = job.backbone is not None and job.backbone.is_named
    if not data.is_own or (first is not None and first.learnt is None and not from_imagenet):
        return None
    return LearntPictures.of(learnt.fitted.train, None if first is None else first.learnt)


def _validation(learnt: Learnt, served: OnnxClassifier, data: DataSet) -> Evaluation:
    """The scores on held-out pictures: of the served file, or of the networks of the folds."""
    if learnt.crossed is not None:
        return learnt.crossed.evaluation(learnt.temperature)
    assert learnt.held_out is not None  # noqa: S101  with one split there is one
    return measure(served, learnt.held_out, data.labels).evaluation


def _keep_network(network: keras.Sequential, path: Path) -> None:
    # A copy without an optimizer: Keras would also save the optimizer's state, twice the size of the network.
    copy = keras.Sequential.from_config(network.get_config())
    copy.set_weights(network.get_weights())
    # Keras converts its variables to arrays in a way that is deprecated in NumPy 2.
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        copy.save(path)


def _with_interval(score: Evaluation) -> dict[str, Any]:
    return asdict(score) | {"accuracy_interval": list(score.accuracy_interval)}


def _metadata(job: TrainingJob, data: DataSet, learnt: Learnt, *, raw: Measurement, test: Measurement) -> ModelMetadata:
    height, width, _ = data.input_shape
    return ModelMetadata(
        name=job.name,
        version=job.version or "1",  # replaced when it is published
        labels=data.labels,
        height=height,
        width=width,
        color_mode=data.color_mode,
        fit=data.fit,
        polarity=data.polarity,
        temperature=learnt.temperature,
        data=data.source,
        training={
            "recipe": job.recipe.to_json(),
            "seed": job.seed,
            "best_epoch": learnt.fitted.best_epoch,
            "training_images": len(learnt.fitted.train),
            "validation_images": 0 if learnt.held_out is None else len(learnt.held_out),
            **_particulars(job, learnt),
            "notes": list(data.notes) + ([_MIRRORED] if job.mirrored_view else []),
            "libraries": provenance.versions(),
        },
        evaluation=test.evaluation,
        uncalibrated=raw.evaluation,
        reference=reference(test.probabilities),
        golden=test.golden_images(),
        commit=provenance.commit(),
        created=provenance.now(),
    )


def _particulars(job: TrainingJob, learnt: Learnt) -> dict[str, Any]:
    """The metadata that only some versions have."""
    said: dict[str, Any] = {}
    if job.backbone is not None:
        frozen, unfrozen = phases(job.recipe)
        said["backbone"] = {
            "origin": job.backbone.origin,
            "pixels": job.backbone.preprocessing.describe(),
            "sha256": job.backbone.fingerprint,
            "frozen_epochs": frozen.epochs,
            "unfrozen_epochs": unfrozen.epochs if unfrozen else 0,
        }
    if job.start_from is not None:
        said["started_from"] = {"file": job.start_from.path.name, "sha256": job.start_from.fingerprint}
    if job.policy != "float32":
        said["precision"] = job.policy
    if learnt.crossed is not None:
        said["cross_validation"] = learnt.crossed.to_json(learnt.temperature)
    return said
