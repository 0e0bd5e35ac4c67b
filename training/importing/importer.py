"""The steps of an import.

::

    open the source -> what is stated, and what is missing -> graph of the contract -> proof against the source
                    -> examples: temperature, scores      -> metadata, golden images -> published atomically
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from contract import NAME_RULE, VERSION_RULE, DataSource, GoldenImage, ModelMetadata, most_golden_images
from contract.names import is_model_name, is_version
from training.data.dataset import LabelledImages
from training.errors import ImportRefusedError
from training.files import one_line
from training.held_out import fit_conformal, fit_familiarity
from training.importing import expected
from training.importing.calibration import calibrate
from training.importing.card import write_import
from training.importing.examples import ExampleFiles, find_examples
from training.importing.expected import Expected
from training.importing.figures import draw_figures
from training.importing.metadata import describe
from training.importing.one_by_one import can_scan, mixes_pictures, one_by_one
from training.importing.onnx_graph import with_open_batch
from training.importing.proof import RANDOM_IMAGES, Proof, prove, random_images
from training.importing.served_onnx import serve
from training.importing.source import Source
from training.importing.sources import open_source
from training.importing.stated import Stated
from training.measurement import Measurement, measure
from training.onnx_classifier import OnnxClassifier
from training.onnx_file import with_metadata
from training.publish import publishing

_GOLDEN_IMAGES = 8
_MOST_RANDOM_VALUES = 1 << 26  # of all random images together: the source answers them at once
_GOLDEN_VALUES = 1 << 16


@dataclass(frozen=True, slots=True)
class ImportJob:
    """The settings of one import.

    Attributes:
        source: path of a file or a folder.
        name: of the served model.
        version: a whole number; None takes the next free one.
        repository: ``models/``, where the version appears.
        flags: the facts about the network from the command line.
        resizing_flags: options of the resize other than ``--resize``; None where not given.
        examples: a folder of pictures, or None.
        measures_preprocessing: find the preprocessing by measuring it on the examples.
        data: that the network learnt from.
        command: for the model card.
    """

    source: Path
    name: str
    version: str | None
    repository: Path
    flags: Stated
    resizing_flags: Mapping[str, Any]
    examples: Path | None
    measures_preprocessing: bool
    data: DataSource
    command: str


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A published import.

    Attributes:
        folder: of the version.
        metadata: of the file.
        source: the foreign classifier.
        expected: what the network expects, and where each fact comes from.
        proof: the comparison with the source's answers.
        score: the measurement on labelled examples without those that fitted the temperature, or None.
        notes: for the user.
    """

    folder: Path
    metadata: ModelMetadata
    source: Source
    expected: Expected
    proof: Proof
    score: Measurement | None
    notes: tuple[str, ...]

    def summary(self) -> str:
        """The text that the command prints."""
        said = self.expected
        lines = [
            f"{self.folder}: {self.source.kind}, {self.source.layers} layers, {len(self.metadata.labels)} classes",
            *(f"  {fact:<14}{value} ({origin})" for fact, value, origin in said.rows()),
            f"  {'proof':<14}{self.proof.describe(self.source.framework)}",
            f"  {'preprocessing':<14}{self.metadata.preprocessing_proof}",
        ]
        if self.score is None:
            lines.append(f"  {'accuracy':<14}not measured (--examples with a sub-folder for each label measures it)")
        else:
            score = self.score.evaluation
            lines.append(f"  {'accuracy':<14}{score.accuracy:.2%} on {score.images} example pictures")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def import_model(job: ImportJob) -> Imported:
    """Imports a foreign classifier into the model repository.

    Raises:
        TrainingError: see :mod:`training.errors`; nothing is published then.
    """
    if not is_model_name(job.name):
        raise ImportRefusedError(f"--name {job.name}: {NAME_RULE}")
    if job.version is not None and not is_version(job.version):
        raise ImportRefusedError(f"--version {job.version}: {VERSION_RULE} is needed")
    source = open_source(job.source, job.flags)
    said = expected.resolve(source, job.resizing_flags, job.examples, measures=job.measures_preprocessing)
    examples = find_examples(job.examples, said.names) if job.examples is not None else None

    images = _images(said, examples)
    notes = list(said.notes)
    if examples is not None and examples.ignored:
        notes.append(
            f"{len(examples.ignored)} of what --examples holds is not used, since pictures stand in the folder of "
            f"their label itself; the first is {one_line(str(examples.ignored[0]))}"
        )
    wrap, served, proof = _proved(source, said, images.pixels, notes)
    if proof.is_weak:
        notes.append("the answers hardly depend on the picture, as with random weights: the proof is weak")
    temperature, score, raw = 1.0, None, None
    if job.examples is not None and images.classes:
        temperature, raw = calibrate(source, said, images.labelled, job.examples, notes)
        score = raw
    graph = wrap(temperature=temperature)
    if temperature != 1:
        served = OnnxClassifier(graph.SerializeToString(), str(job.source))
        score = measure(served, score.images, said.names) if score else None
    metadata = describe(
        job.name,
        job.version or "1",  # replaced when it is published
        said,
        source=source,
        proof=proof,
        data=job.data,
        command=job.command,
        golden=_golden(source, said, images, temperature),
        temperature=temperature,
        score=score,
        raw=raw,
    )
    if score is not None:  # score is of pictures that did not fit the temperature
        metadata = dataclasses.replace(
            metadata,
            conformal=fit_conformal(score.probabilities, score.images.classes),
            familiarity=fit_familiarity(score.probabilities),
        )
    with publishing(job.repository, job.name, job.version) as folder:
        metadata = dataclasses.replace(metadata, version=folder.name)
        (folder / "model.onnx").write_bytes(with_metadata(graph, metadata))
        figures = {}
        if score is not None and raw is not None:
            figures = draw_figures(folder / "figures", raw=raw, score=score, temperature=temperature)
        write_import(
            folder,
            metadata,
            said,
            source=source,
            proof=proof,
            score=score,
            figures=figures,
            notes=notes,
            command=job.command,
        )
    place = job.repository / job.name / metadata.version
    return Imported(place, metadata, source, said, proof, score, tuple(notes))


def _proved(
    source: Source, said: Expected, images: NDArray[np.uint8], notes: list[str]
) -> tuple[Callable[..., onnx.ModelProto], OnnxClassifier, Proof]:
    """(function from a temperature to the graph, the graph with temperature 1, the proof)."""

    def attempt(graph: onnx.ModelProto) -> tuple[Callable[..., onnx.ModelProto], OnnxClassifier, Proof]:
        wrap = partial(
            serve,
            graph,
            taken=source.taken,
            output=source.output,
            size=said.size,
            preprocessing=said.preprocessing.value,
            ending=said.ending,
        )
        served = OnnxClassifier(wrap(temperature=1.0).SerializeToString(), str(source.origin))
        proof = prove(source, served, preprocessing=said.preprocessing.value, ending=said.ending, images=images)
        return wrap, served, proof

    why = "the file takes one picture at a time"
    if mixes_pictures(source.graph) and can_scan(source.graph, source.taken):
        why = "the network quantizes by the range of all values of a batch (DynamicQuantizeLinear)"
    else:
        try:
            return attempt(with_open_batch(source.graph, source.taken, said.size))
        except ImportRefusedError:
            if not can_scan(source.graph, source.taken):
                raise
    notes.append(f"{why}, so the pictures of a batch are computed one after the other")
    return attempt(one_by_one(source.graph, source.taken, source.output, said.size))


@dataclass(frozen=True, slots=True, eq=False)
class _Images:
    """Pictures at the input's size: first the examples, then random ones.

    Attributes:
        pixels: uint8 [N, H, W, C].
        classes: of the examples; empty where they are not labelled.
        examples: how many of the pictures are examples.
    """

    pixels: NDArray[np.uint8]
    classes: tuple[int, ...]
    examples: int

    @property
    def labelled(self) -> LabelledImages:
        return LabelledImages(self.pixels[: self.examples], np.array(self.classes, np.int64))


def _images(said: Expected, examples: ExampleFiles | None) -> _Images:
    values = said.size[0] * said.size[1] * said.channels
    random = random_images((*said.size, said.channels), max(8, min(RANDOM_IMAGES, _MOST_RANDOM_VALUES // values)))
    if examples is None:
        return _Images(random, (), 0)
    pixels = examples.read(said.target)
    return _Images(np.concatenate([pixels, random]), examples.classes, len(pixels))


def _golden(source: Source, said: Expected, images: _Images, temperature: float) -> tuple[GoldenImage, ...]:
    """A few pictures with the answers of the source framework, not of the converted graph."""
    count = max(2, min(_GOLDEN_IMAGES, _GOLDEN_VALUES // said.ending.classes))
    count = min(count, most_golden_images(images.pixels[0].size))
    # Spread over the examples, or over the random pictures, which range from plain to noisy.
    rows = np.unique(np.linspace((images.examples or len(images.pixels)) - 1, 0, count).astype(int))
    pixels = images.pixels[rows]
    values = source.answer_pictures(pixels, said.preprocessing.value)
    answers = said.ending.probabilities(values, temperature).astype(np.float32)
    return tuple(
        GoldenImage(
            pixels=pixels[place].tobytes(),
            label=said.labels.value.names[images.classes[row]] if row < len(images.classes) else None,
            probabilities=tuple(answers[place].tolist()),
        )
        for place, row in enumerate(rows)
    )
