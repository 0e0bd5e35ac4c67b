"""Writes the files beside an imported ``model.onnx``: MODEL_CARD.md and metrics.json."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from contract import ModelMetadata
from training.card import figure_section
from training.importing.expected import Expected
from training.importing.proof import Proof
from training.importing.source import Source
from training.measurement import Measurement

_LABELS_SHOWN = 20


def write_import(
    folder: Path,
    model: ModelMetadata,
    said: Expected,
    *,
    source: Source,
    proof: Proof,
    score: Measurement | None,
    figures: Mapping[str, str],
    notes: Sequence[str],
    command: str,
) -> None:
    """Writes both files.

    Args:
        folder: of the version.
        model: the file's metadata.
        said: what the network expects, and where each fact comes from.
        source: the foreign classifier.
        proof: the comparison with the source's answers.
        score: the measurement on labelled examples; None without them.
        figures: captions of the figures, by file name without ``.png``.
        notes: for the user.
        command: the command of the import.
    """
    record = {
        "name": model.name,
        "version": model.version,
        "test": score.to_json() if score else None,
        "test_uncalibrated": asdict(model.uncalibrated) if model.uncalibrated else None,
        "temperature": model.temperature,
        "training": model.training,
        "tried": [
            {
                "preprocessing": trial.preprocessing.name,
                "fit": trial.resizing.fit,
                "accuracy": trial.right / trial.images,
            }
            for trial in said.trials
        ],
        "commit": model.commit,
        "created": model.created,
    }
    (folder / "metrics.json").write_text(json.dumps(record, indent=2) + "\n")
    sections = [
        _summary(model, said),
        f"## How it was imported\n\n```\n{command}\n```\n",
        _stated(said),
        _proof(model, source, proof),
        _quality(model, is_chosen=bool(said.trials)),
        _data(model),
    ]
    if figures:
        sections.append(figure_section(figures))
    if notes:
        sections.append("## Notes\n\n" + "".join(f"- {note}\n" for note in notes))
    (folder / "MODEL_CARD.md").write_text("\n".join(sections), encoding="utf-8")


def _summary(model: ModelMetadata, said: Expected) -> str:
    names = said.names
    shown = ", ".join(names[:_LABELS_SHOWN]) + (
        f" and {len(names) - _LABELS_SHOWN} more" * (len(names) > _LABELS_SHOWN)
    )
    kind = "Chooses any number of" if model.multi_label else "Chooses one of"
    return f"# {model.name}, version {model.version}\n\n{kind} {len(names)} classes: {shown}.\n"


def _stated(said: Expected) -> str:
    cells = ([cell.replace("|", "\\|") for cell in row] for row in said.rows())  # labels may have this character
    rows = "".join(f"| {' | '.join(row)} |\n" for row in cells)
    return f"## What it expects, and who said so\n\n| | | stated by |\n| --- | --- | --- |\n{rows}"


def _proof(model: ModelMetadata, source: Source, proof: Proof) -> str:
    return (
        f"## Proof\n\nOn {proof.images} pictures, in batches of 1, 7 and 64, the file gives the same answers as "
        f"{source.framework}: the largest difference of a probability is {proof.largest_difference:.1e} "
        f"({proof.tolerance:.0e} is allowed). "
        f"The golden images hold the source's own answers. Preprocessing: {model.preprocessing_proof}.\n"
    )


def _quality(model: ModelMetadata, *, is_chosen: bool) -> str:
    score, raw = model.evaluation, model.uncalibrated
    if score is None or raw is None:
        return "## Quality\n\nAccuracy and calibration: not measured.\n"
    chosen = ", on which the preprocessing was also chosen" if is_chosen else ", on which nothing was chosen"
    return (
        f"## Quality\n\nMeasured on {score.images} example pictures{chosen}.\n\n"
        "| | as served | uncalibrated |\n| --- | --- | --- |\n"
        f"| accuracy | {score.accuracy:.2%} | {raw.accuracy:.2%} |\n"
        f"| log loss (nats) | {score.log_loss:.4f} | {raw.log_loss:.4f} |\n"
        f"| Brier score | {score.brier_score:.4f} | {raw.brier_score:.4f} |\n"
        f"| expected calibration error | {score.expected_calibration_error:.2%} | "
        f"{raw.expected_calibration_error:.2%} |\n\n"
        f"The logits are divided by the temperature {model.temperature:.4f}.\n"
    )


def _data(model: ModelMetadata) -> str:
    data = model.data
    return f"## Data\n\n- learned from: {data.name}\n- licence: {data.licence}\n- to cite: {data.citation}\n"
