"""Makes the metadata of an imported file. It holds only facts that were stated or measured."""

from contract import GOLDEN_TOLERANCE, DataSource, GoldenImage, ModelMetadata
from training import provenance, scores
from training.importing.expected import Expected
from training.importing.proof import Proof
from training.importing.source import Source
from training.measurement import Measurement


def describe(
    name: str,
    version: str,
    said: Expected,
    *,
    source: Source,
    proof: Proof,
    data: DataSource,
    command: str,
    golden: tuple[GoldenImage, ...],
    temperature: float,
    score: Measurement | None,
    raw: Measurement | None,
) -> ModelMetadata:
    """Makes the metadata.

    Args:
        name: of the served model.
        version: of the served model.
        said: what the network expects, and where each fact comes from.
        source: the foreign classifier.
        proof: the comparison with the source's answers.
        data: that the network learnt from.
        command: the command of the import.
        golden: pictures with the source's answers.
        temperature: of the served graph.
        score: the measurement on labelled examples, as served; None without them.
        raw: the same with temperature 1.
    """
    height, width = said.size
    rule = said.resizing.value
    return ModelMetadata(
        name=name,
        version=version,
        labels=said.labels.value.names,
        class_ids=said.labels.value.ids or None,
        height=height,
        width=width,
        color_mode=said.color_mode,
        fit=rule.fit,
        crop_fraction=rule.crop_fraction(height, width),
        crop_rounding=rule.stated_rounding,
        interpolation=rule.interpolation,
        antialias=rule.antialias,
        jpeg_decode="full" if rule.full_jpeg_decode else "reduced",
        exif=rule.exif,
        icc=rule.icc,
        polarity="any",
        temperature=temperature,
        data=data,
        training={
            "imported_from": source.origin.name,
            "source": source.kind,
            "layers": source.layers,
            "command": command,
            "stated": {fact: {"value": value, "by": origin} for fact, value, origin in said.rows()},
            "proof": {
                "against": source.framework,
                "images": proof.images,
                "largest_difference": proof.largest_difference,
                "tolerance": proof.tolerance,
            },
            "libraries": provenance.versions(),
        },
        evaluation=score.evaluation if score else None,
        uncalibrated=raw.evaluation if raw else None,
        reference=scores.reference(score.probabilities) if score else None,
        golden=golden,
        golden_tolerance=max(GOLDEN_TOLERANCE, 2 * proof.tolerance),
        multi_label=said.ending.head == "multi-label",
        one_unit=said.ending.head == "sigmoid",
        preprocessing_proof=_preprocessing_proof(said, source),
        commit=provenance.commit(),
        created=provenance.now(),
    )


def _preprocessing_proof(said: Expected, source: Source) -> str:
    if source.scales_inside and said.preprocessing.value.keeps_values:
        said_order = f"; the order BGR is as stated by {said.preprocessing.origin}, not proven"
        is_reversed = said.preprocessing.value.order == "BGR"
        return f"proven: the source itself prepares the pixel values{said_order if is_reversed else ''}"
    origin = said.preprocessing.origin.partition(";")[0]  # without the names of the network's layers, which may be long
    return f"as stated by {origin}, not proven"
