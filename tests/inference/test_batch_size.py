"""The best number of images per run, from the costs of runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from contract import OUTPUT_NAME
from service.inference import GpuPolicy, ModelRepository, Provider
from service.inference.batch_size import useful_batch_size
from tests.fixtures.tiny_models import put, tiny_model


def costing(run_s: float, image_s: float) -> Callable[[int], float]:
    """A network with a fixed cost per run and a cost per image, in seconds."""
    return lambda size: run_s + size * image_s


@pytest.mark.parametrize(
    ("seconds_of", "size"),
    [
        (costing(50e-6, 60e-6), 32),  # the CIFAR-10 network
        (costing(0.0, 4e-3), 4),  # MobileNetV2 on two cores: 4 images take 16 ms
        (costing(4e-3, 25.6e-3), 2),  # ResNet-50 on two cores: each of two takes 27.6 ms, one alone 29.6
        (costing(0.0, 40e-3), 1),  # larger batches gain nothing
        (costing(0.1, 1e-3), 32),  # a large matrix that has to be read for each run
        (costing(0.1, 20e-3), 8),  # the same with costlier images: 32 ms per image, and 26 in a run of 16
        (costing(0.0, 21e-3), 1),
    ],
)
def test_a_batch_grows_while_it_is_short_or_gains(seconds_of: Callable[[int], float], size: int) -> None:
    assert useful_batch_size(seconds_of, 32) == size


def test_the_largest_that_is_allowed_need_not_be_a_power_of_two() -> None:
    assert useful_batch_size(costing(1.0, 0.0), 6) == 6


def test_a_short_model_is_measured_once() -> None:
    measured: list[int] = []

    def seconds_of(size: int) -> float:
        measured.append(size)
        return 1e-4

    assert useful_batch_size(seconds_of, 32) == 32
    assert measured == [1]


def put_long(folder: Path) -> None:
    """A model with long runs: each image takes 50 products of 256 x 256 matrices."""
    nodes = [
        helper.make_node("ReduceMax", ["plain", "first"], ["scale"], keepdims=1),
        helper.make_node("Unsqueeze", ["scale", "last"], ["wide"]),
        helper.make_node("Mul", ["wide", "matrix"], ["m0"]),
        *(helper.make_node("MatMul", [f"m{n}", "matrix"], [f"m{n + 1}"]) for n in range(50)),
        helper.make_node("ReduceMax", ["m50", "both"], ["most"], keepdims=0),
        helper.make_node("Unsqueeze", ["most", "first"], ["column"]),
        helper.make_node("Mul", ["column", "nothing"], ["zero"]),
        helper.make_node("Add", ["plain", "zero"], [OUTPUT_NAME]),
    ]
    constants = [
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(np.array([1], np.int64), "first"),
        numpy_helper.from_array(np.array([1, 2], np.int64), "both"),
        numpy_helper.from_array(np.zeros((), np.float32), "nothing"),
        helper.make_tensor("matrix", TensorProto.FLOAT, [256, 256], np.full(256 * 256, 1 / 256, np.float32)),
    ]
    put(folder, "long", "1", tiny_model("long", tail=(nodes, constants)))


def repository(
    folder: Path, *, max_batch_size: int | None = None, long_run_threads: int | None = None
) -> ModelRepository:
    return ModelRepository(
        folder,
        provider=Provider("cpu"),
        intra_op_threads=1,
        max_batch_size=max_batch_size,
        gpu=GpuPolicy(memory_limit_bytes=1 << 30, cuda_graphs=True),
        long_run_threads=long_run_threads,
    )


def test_a_model_of_long_runs_is_not_made_to_wait_for_others_of_its_kind(tmp_path: Path) -> None:
    put_long(tmp_path)
    assert repository(tmp_path).load("long", "1").session.max_batch_size < 32
    assert repository(tmp_path, max_batch_size=32).load("long", "1").session.max_batch_size == 32  # as configured


def test_long_runs_are_made_by_more_threads(tmp_path: Path) -> None:
    put_long(tmp_path)
    put(tmp_path, "short", "1", tiny_model("short"))
    models = repository(tmp_path, long_run_threads=2)
    assert [models.load(name, "1").session.intra_op_threads for name in ("long", "short")] == [2, 1]
    assert repository(tmp_path).load("long", "1").session.intra_op_threads == 1
