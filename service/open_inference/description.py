"""The protocol's JSON documents about the server and its models; gRPC converts them to messages."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from contract import OUTPUT_NAME
from service.models.catalog import ServedModel
from service.models.model_loader import IndexEntry
from service.open_inference.tensors import ENCODED, IMAGE
from service.telemetry.metrics import Metrics

NAME = "convoy"
PLATFORM = "onnxruntime_onnx"
EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
)


def describe_server(version: str) -> dict[str, Any]:
    """Name, version and the supported extensions of the protocol."""
    return {"name": NAME, "version": version, "extensions": list(EXTENSIONS)}


def describe_model(model: ServedModel, versions: Iterable[ServedModel]) -> dict[str, Any]:
    """Inputs and outputs of a model.

    Args:
        model: the model to describe.
        versions: all served versions of the same name.

    Returns:
        Its metadata; -1 is a variable size.
    """
    labels = len(model.metadata.labels)
    return {
        "name": model.metadata.name,
        "versions": [version.metadata.version for version in versions],
        "platform": PLATFORM,
        "inputs": [
            {"name": IMAGE, "datatype": "UINT8", "shape": [-1, *model.target.shape]},
            {"name": ENCODED, "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": [{"name": OUTPUT_NAME, "datatype": "FP32", "shape": [-1, labels]}],
    }


def configure_model(model: ServedModel, max_images: int) -> dict[str, Any]:
    """A model's configuration, in the format of the model configuration extension.

    Args:
        model: the model to describe.
        max_images: most pictures in one request.

    Returns:
        The configuration; ``dims`` leave out the batch.
    """
    return {
        "name": model.metadata.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": max_images,
        "input": [
            {
                "name": IMAGE,
                "data_type": "TYPE_UINT8",
                "format": "FORMAT_NHWC",
                "dims": list(model.target.shape),
                "optional": True,
            },
            {"name": ENCODED, "data_type": "TYPE_STRING", "dims": [1], "optional": True},
        ],
        "output": [{"name": OUTPUT_NAME, "data_type": "TYPE_FP32", "dims": [len(model.metadata.labels)]}],
        "dynamic_batching": {},
    }


def count_requests(models: Iterable[ServedModel], metrics: Metrics) -> dict[str, Any]:
    """Counts and times of each model, in the format of the statistics extension. May be called in any thread.

    Args:
        models: the models to describe.
        metrics: has the counts, folded.

    Returns:
        Counts of requests, and the sums of their durations in nanoseconds. A run counts for each request that was in
        it. Failed requests are counted without their time. The time of the outputs is a part of ``compute_infer``.
    """
    samples: defaultdict[tuple[str | None, str | None], dict[str, float]] = defaultdict(dict)
    for sample in metrics.samples():
        if "le" not in sample.labels:
            samples[sample.labels.get("model"), sample.labels.get("version")][sample.name] = sample.value
    stats = []
    for model in models:
        name, version = model.metadata.name, model.metadata.version
        counts = samples[name, version]
        requests, failed, runs = (
            int(counts.get(f"convoy_{counted}", 0))
            for counted in ("classified_requests_total", "failed_requests_total", "inference_seconds_count")
        )
        decode_ns, queue_ns = (_nanoseconds(counts, f"convoy_{stage}_seconds_sum") for stage in ("decode", "queue"))
        inference_ns = _nanoseconds(counts, "convoy_request_inference_seconds_total")
        stats.append(
            {
                "name": name,
                "version": version,
                "inference_count": int(counts.get("convoy_images_total", 0)),
                "execution_count": runs,
                "inference_stats": {
                    "success": {"count": requests, "ns": decode_ns + queue_ns + inference_ns},
                    "fail": {"count": failed, "ns": 0},
                    "queue": {"count": requests, "ns": queue_ns},
                    "compute_input": {"count": requests, "ns": decode_ns},
                    "compute_infer": {"count": requests, "ns": inference_ns},
                    "compute_output": {"count": requests, "ns": 0},
                },
                "batch_stats": [],
            }
        )
    return {"model_stats": stats}


def _nanoseconds(counts: Mapping[str, float], seconds: str) -> int:
    return round(counts.get(seconds, 0.0) * 1e9)


def list_repository(entries: Iterable[IndexEntry], *, only_ready: bool) -> list[dict[str, str]]:
    """The model repository, in the format of the model repository extension.

    Args:
        entries: of the repository.
        only_ready: whether to leave out versions that are not served.

    Returns:
        Each version of each model: READY, or UNAVAILABLE with the reason.
    """
    return [
        {
            "name": entry.name,
            "version": entry.version,
            "state": "READY" if entry.ready else "UNAVAILABLE",
            "reason": entry.reason,
        }
        for entry in entries
        if entry.ready or not only_ready
    ]
