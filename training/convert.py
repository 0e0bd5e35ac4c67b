"""``convoy convert``: writes a classifier in float16 (for GPUs) or int8 (for CPUs) as a new model, and measures it.

::

    model.onnx ─┬─ float16: every weight and activation but the softmax ──────────────────┬─> compared with the original
                │  int8: weights by channel, activations by their range in training images│  models/<name>-<precision>/1
                └─       without the last layer and what follows it ──────────────────────┘

The new file is another model with its own name, so it serves only requests for that name.
"""

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from contract import INPUT_NAME, OUTPUT_NAME, ModelMetadata
from training import provenance, scores
from training.data import sources
from training.data.dataset import DataSet
from training.data.learnt_pictures import FILE, test_set
from training.measurement import Measurement, measure
from training.onnx_classifier import OnnxClassifier
from training.onnx_file import features_shape, with_metadata, without_familiarity
from training.publish import publishing

Precision = Literal["float16", "int8"]

CALIBRATION_IMAGES = 1000
NOT_MEASURED = "accuracy is not measured, since a picture may have several labels"
_CALIBRATION_BATCH = 100
# An average of quantized values has finer steps than they have.
_LAST_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "AveragePool", "GlobalAveragePool", "ReduceMean")
_TO_PROBABILITIES = ("Softmax", "LogSoftmax", "Sigmoid")
# float16 has 11 significant bits; int8 values may be rounded to a neighbouring one of 256 steps on another machine.
_GOLDEN_TOLERANCES: Mapping[Precision, float] = MappingProxyType({"float16": 0.01, "int8": 0.05})


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """A converted model and how it compares on the test set, both by ONNX Runtime on the CPU.

    Attributes:
        metadata: of the new file.
        before: the measurement of the original.
        after: the measurement of the new file.
    """

    metadata: ModelMetadata
    before: Measurement
    after: Measurement

    @property
    def same_class(self) -> float:
        """Share of the test images whose most probable class is the same, 0 to 1."""
        pairs = (part.probabilities.argmax(axis=1) for part in (self.before, self.after))
        return float(np.mean(np.equal(*pairs)))

    @property
    def largest_difference(self) -> float:
        """The largest difference of a probability, 0 to 1."""
        return float(np.abs(self.before.probabilities - self.after.probabilities).max())


def convert(
    path: Path, precision: Precision, place: Path | None, repository: Path, *, skipped: Path | None = None
) -> Converted:
    """Converts a model, measures the new file and publishes it.

    Args:
        path: an exported file.
        precision: of the new file.
        place: where the data is; None leaves it to keras.datasets.
        repository: ``models/``, where ``<name>-<precision>`` appears.
        skipped: where the names of pictures that cannot be used are written; None makes them an error.

    Returns:
        The new model, measured on the test set.

    Raises:
        ModelFileError: the file is no model, or does not fit the data.
        DataError: the data is missing or damaged.
    """
    original = OnnxClassifier.open(path)
    said = original.metadata
    data = sources.load_for(said, place, skipped)
    test = test_set(data, path)
    graph = _float16(path) if precision == "float16" else _int8(path, data)
    onnx.checker.check_model(graph, full_check=True)
    classifier = OnnxClassifier(graph.SerializeToString())
    before, after = (measure(model, test, data.labels) for model in (original, classifier))
    name = f"{said.name}-{precision}"
    metadata = dataclasses.replace(
        said,
        name=name,
        training={**said.training, **_origin(said, precision)},
        evaluation=None if said.multi_label else after.evaluation,
        reference=None if said.multi_label else scores.reference(after.probabilities),
        golden=tuple(
            dataclasses.replace(image, probabilities=tuple(row.tolist()))
            for image, row in zip(said.golden, classifier.predict(_golden_pixels(said)), strict=True)
        ),
        commit=provenance.commit(),
        created=provenance.now(),
        features=features_shape(graph),
        conformal=None,  # other probabilities need other thresholds: `convoy calibrate`
        familiarity=None,
        golden_tolerance=_GOLDEN_TOLERANCES[precision],
    )
    with publishing(repository, name, None) as folder:
        metadata = dataclasses.replace(metadata, version=folder.name)
        converted = Converted(metadata, before, after)
        (folder / "model.onnx").write_bytes(with_metadata(graph, metadata))
        (folder / "metrics.json").write_text(json.dumps(_figures(converted), indent=2) + "\n")
        (folder / "MODEL_CARD.md").write_text(_card(converted))
        if (path.parent / FILE).is_file():
            shutil.copyfile(path.parent / FILE, folder / FILE)
    return converted


def _float16(path: Path) -> onnx.ModelProto:
    model = without_familiarity(onnx.load(path))
    # The softmax stays in float32, since its exponentials overflow float16 first; so do the model's outputs.
    converted = OnnxModel(convert_float_to_float16(model, keep_io_types=True, op_block_list=["Softmax"]))
    converted.topological_sort()  # the casts around the softmax were added at the end
    graph: onnx.ModelProto = converted.model
    return graph


def _int8(path: Path, data: DataSet) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as scratch:
        plain, prepared, quantized = (Path(scratch) / f"{step}.onnx" for step in ("plain", "prepared", "int8"))
        onnx.save(without_familiarity(onnx.load(path)), plain)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        # With 256 steps for logits or probabilities, small probabilities become 0 and many classes share one.
        kept = _last_layer(model.graph)
        for node in kept:
            node.name = node.name or node.output[0]
        quantize_static(
            model,
            str(quantized),
            _TrainingImages(data),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[node.name for node in kept],
        )
        return onnx.load(quantized)


def _last_layer(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The last layer with weights, or the average that follows it, and all nodes from there to the probabilities.

    A layer or average of probabilities is not the last one: those would be rounded before it.
    """
    makers = {output: node for node in graph.node for output in node.output}
    probabilities = _probabilities(graph)
    found: dict[str, onnx.NodeProto] = {}
    # Each tensor with whether a softmax or sigmoid follows it, whose values are used without a logarithm.
    tensors, reached = [(OUTPUT_NAME, False)], set[tuple[str, bool]]()
    while tensors:
        (name, is_followed) = tensor = tensors.pop()
        if name not in makers or tensor in reached:
            continue
        reached.add(tensor)
        node = found[makers[name].output[0]] = makers[name]
        if node.op_type not in _LAST_LAYERS or (name in probabilities and not is_followed):
            # Where probabilities get a temperature, their logarithms are the logits of a second softmax.
            is_followed = node.op_type in _TO_PROBABILITIES or (is_followed and node.op_type != "Log")
            tensors += [(before, is_followed) for before in node.input]
    return list(found.values())


def _probabilities(graph: onnx.GraphProto) -> set[str]:
    """The names of tensors that are computed from the values of softmax and sigmoid functions, and of nothing else."""
    constants = {"", *(tensor.name for tensor in graph.initializer)}
    probabilities: set[str] = set()
    for node in graph.node:  # each one follows those that it depends on
        inputs = set(node.input) - constants
        if node.op_type == "Shape" or not inputs:
            constants.update(node.output)
        elif node.op_type in _TO_PROBABILITIES or inputs <= probabilities:
            probabilities.update(node.output)
    return probabilities


class _TrainingImages(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    """A fixed random sample of the training images, in batches."""

    def __init__(self, data: DataSet) -> None:
        count = min(CALIBRATION_IMAGES, len(data.train))
        rows = np.random.default_rng(0).choice(len(data.train), count, replace=False)
        self._batches = self._batched(data.train.pixels[np.sort(rows)])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch; None at the end."""
        return next(self._batches, None)

    @staticmethod
    def _batched(pixels: NDArray[np.uint8]) -> Iterator[dict[str, NDArray[np.uint8]]]:
        for start in range(0, len(pixels), _CALIBRATION_BATCH):
            yield {INPUT_NAME: pixels[start : start + _CALIBRATION_BATCH]}


def _golden_pixels(said: ModelMetadata) -> NDArray[np.uint8]:
    return np.stack([np.frombuffer(image.pixels, np.uint8).reshape(said.input_shape) for image in said.golden])


def _origin(said: ModelMetadata, precision: Precision) -> dict[str, Any]:
    calibration = {"calibration_images": CALIBRATION_IMAGES} if precision == "int8" else {}
    return {"precision": precision, "converted_from": f"{said.name} version {said.version}", **calibration}


def _figures(converted: Converted) -> dict[str, Any]:
    return {
        "name": converted.metadata.name,
        "version": converted.metadata.version,
        "test": None if converted.metadata.multi_label else converted.after.to_json(),
        "original": None if converted.metadata.multi_label else asdict(converted.before.evaluation),
        "same_class": converted.same_class,
        "largest_difference": converted.largest_difference,
        "training": converted.metadata.training,
        "commit": converted.metadata.commit,
        "created": converted.metadata.created,
    }


def _card(converted: Converted) -> str:
    model, before, after = converted.metadata, converted.before.evaluation, converted.after.evaluation
    origin, precision = model.training["converted_from"], model.training["precision"]
    table = f"""\
| {after.images} test images, ONNX Runtime on the CPU | {origin} | this file |
| --- | --- | --- |
| accuracy | {before.accuracy:.4f} | {after.accuracy:.4f} |
| log loss (nats) | {before.log_loss:.4f} | {after.log_loss:.4f} |
| expected calibration error | {before.expected_calibration_error:.4f} | {after.expected_calibration_error:.4f} |
"""
    if model.multi_label:
        table = f"{NOT_MEASURED[:1].upper()}{NOT_MEASURED[1:]}. Compared on {after.images} pictures.\n"
    return f"""# {model.name} version {model.version}

{origin}, converted to {precision}. All else (labels, input, data, licence) is as its card says.

{table}
Same most probable class: {converted.same_class:.2%}. Largest difference of a probability: \
{converted.largest_difference:.4f}. The temperature is the original's; it was not fitted anew.
"""
