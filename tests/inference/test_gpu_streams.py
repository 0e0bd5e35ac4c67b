"""GPU streams: buckets, padding, reused buffers, several batches in flight, order, failure.

Tested with a simulated device, and with real CPU sessions and the code that a GPU uses.
"""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from service.batching import Batcher
from service.errors import InferenceFailedError
from service.inference.buckets import bucket_of, bucket_sizes
from service.inference.gpu_streams import open_streams
from service.inference.inference_threads import InferenceThreads
from service.inference.onnx_stream import OnnxStream
from tests.explaining.networks import coloured, network
from tests.inference.simulated import SimulatedDevice
from tests.process import ROOT
from training.data.dataset import LabelledImages
from training.familiar_features import with_familiarity
from training.onnx_classifier import OnnxClassifier


def streams_over(device: SimulatedDevice, *, count: int = 2, max_batch_size: int = 8) -> InferenceThreads:
    streams = open_streams(
        lambda: device.make_stream(max_batch_size), count=count, max_batch_size=max_batch_size, name="stream"
    )
    device.is_gated = device.is_gated_after_warm_up
    return streams


def pixels(*values: int) -> NDArray[np.uint8]:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("largest", "sizes"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8)), (9, (1, 2, 4, 8, 9))]
)
def test_buckets_are_powers_of_two_and_the_largest_batch(largest: int, sizes: tuple[int, ...]) -> None:
    assert bucket_sizes(largest) == sizes


def test_every_batch_goes_into_the_smallest_bucket_that_holds_it() -> None:
    sizes = bucket_sizes(100)
    for images in range(1, 101):
        bucket = bucket_of(images, sizes)
        assert bucket >= images
        assert all(size < images for size in sizes if size < bucket)


@pytest.mark.parametrize("count", [1, 3, 5, 8])
def test_padding_never_reaches_the_caller(count: int) -> None:
    device = SimulatedDevice()
    streams = streams_over(device)
    streams.run([pixels(*range(100, 108))])  # its images stay in the buffer, and the next batch is padded with them
    values = list(range(count))
    assert streams.run([pixels(*values)]).tolist() == [[value, 2 * value] for value in values]
    assert device.batch_sizes[-1] == bucket_of(count, (1, 2, 4, 8))


def test_rows_stay_what_they_are_when_the_stream_goes_on() -> None:
    streams = streams_over(SimulatedDevice(), count=1)
    first = streams.run([pixels(1, 2)])
    streams.run([pixels(3, 4)])
    assert first.tolist() == [[1, 2], [2, 4]]


def test_warming_runs_every_bucket_in_every_stream_and_in_its_own_thread() -> None:
    device = SimulatedDevice()
    streams = streams_over(device)
    assert {size: device.batch_sizes.count(size) for size in (1, 2, 4, 8)} == dict.fromkeys((1, 2, 4, 8), 6)
    for value in range(8):
        streams.run([pixels(value)])
    made_in = [len(threads) for threads in device.threads]
    assert made_in == [1, 1]
    assert device.threads[0].isdisjoint(device.threads[1])


def test_two_batches_are_in_the_device_at_once_and_a_third_waits() -> None:
    device = SimulatedDevice(is_gated_after_warm_up=True)
    streams = streams_over(device)
    with ThreadPoolExecutor(3) as callers:
        answers = [callers.submit(streams.run, [pixels(value)]) for value in (1, 2, 3)]
        for _ in range(2):
            assert device.entered.acquire(timeout=10)
        assert not device.entered.acquire(timeout=0.05)
        for _ in range(3):
            device.gate.release()
        assert [answer.result(10).tolist() for answer in answers] == [[[1, 2]], [[2, 4]], [[3, 6]]]


def test_a_run_that_fails_leaves_its_stream_usable() -> None:
    streams = streams_over(SimulatedDevice(), count=1)
    with pytest.raises(RuntimeError, match="poison"):
        streams.run([pixels(255)])
    assert streams.run([pixels(7)]).tolist() == [[7, 14]]


def test_a_stream_that_cannot_be_made_says_so_at_once() -> None:
    def make_stream() -> OnnxStream:
        raise RuntimeError("no such device")

    with pytest.raises(RuntimeError, match="no such device"):
        open_streams(make_stream, count=2, max_batch_size=4, name="stream")


def batcher_over(streams: InferenceThreads, *, max_batch_size: int = 8) -> Batcher:
    return Batcher(
        streams,
        name="simulated",
        max_batch_size=max_batch_size,
        max_queue_delay_s=0.0,
        queue_capacity=10_000,
        seconds_per_image=1e-6,
        loop_budget_s=0.0,
        batches_in_flight=streams.count,
        observer=Silent(),
        loop=asyncio.get_running_loop(),
    )


class Silent:
    def ran(self, batch_size: int, inference_s: float, rows: NDArray[np.float32] | None) -> None: ...
    def not_finite(self, images: int) -> None: ...
    def rejected(self) -> None: ...
    def cancelled(self) -> None: ...


async def ask(batcher: Batcher, *values: int) -> list[list[float]]:
    batcher.admit(len(values))
    try:
        entry = await batcher.submit(pixels(*values), len(values), deadline=time.perf_counter() + 20)
        rows: list[list[float]] = entry.rows.tolist()
        return rows
    finally:
        batcher.release(len(values))


async def test_the_batcher_keeps_two_batches_in_the_device() -> None:
    device = SimulatedDevice(is_gated_after_warm_up=True)
    batcher = batcher_over(streams_over(device))
    callers = [asyncio.create_task(ask(batcher, *range(8))) for _ in range(3)]
    for _ in range(2):
        await asyncio.to_thread(device.entered.acquire)
    assert batcher.waiting == 8
    for _ in range(3):
        device.gate.release()
    assert await asyncio.gather(*callers) == [[[value, 2 * value] for value in range(8)]] * 3
    await batcher.close()


async def test_a_request_larger_than_a_batch_comes_back_whole_and_in_order() -> None:
    batcher = batcher_over(streams_over(SimulatedDevice(latency_s=1e-3)))
    values = [value % 251 for value in range(1000)]
    many = await asyncio.gather(*(ask(batcher, *values) for _ in range(4)))
    assert many == [[[value, 2 * value] for value in values]] * 4
    await batcher.close()


async def test_a_batch_that_fails_does_not_harm_the_one_beside_it() -> None:
    device = SimulatedDevice(is_gated_after_warm_up=True)
    batcher = batcher_over(streams_over(device, max_batch_size=1), max_batch_size=1)
    bad, good = (asyncio.create_task(ask(batcher, value)) for value in (255, 5))
    for _ in range(2):
        await asyncio.to_thread(device.entered.acquire)
        device.gate.release()
    with pytest.raises(InferenceFailedError):
        await bad
    assert await good == [[5, 10]]
    await batcher.close()


def onnx_stream() -> OnnxStream:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(ROOT / "models" / "mnist" / "1" / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    return OnnxStream(session, input_shape=(28, 28, 1), classes=10, max_batch_size=16, device="cpu")


def test_bound_buffers_answer_as_a_plain_run_does() -> None:
    images = np.random.default_rng(5).integers(0, 256, (40, 28, 28, 1), np.uint8)
    session = onnxruntime.InferenceSession(
        str(ROOT / "models" / "mnist" / "1" / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, {"image": images})[0]
    streams = open_streams(onnx_stream, count=2, max_batch_size=16, name="stream")
    for start, count in ((0, 1), (1, 3), (4, 16), (20, 9), (29, 11)):
        rows = streams.run([images[start : start + count]])
        assert np.abs(rows - expected[start : start + count]).max() < 1e-5


def test_a_score_of_familiarity_becomes_the_last_column() -> None:
    plain = onnx.load_from_string(network("pooled"))
    held_out = LabelledImages(*coloured(150, 2))
    graph = with_familiarity(plain, OnnxClassifier(plain.SerializeToString()), held_out, held_out).SerializeToString()
    expected, scores = OnnxClassifier(graph).answers(held_out.pixels[:9])

    def make() -> OnnxStream:
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        return OnnxStream(
            session, input_shape=(8, 8, 3), classes=3, scores_familiarity=True, max_batch_size=16, device="cpu"
        )

    rows = open_streams(make, count=1, max_batch_size=16, name="stream").run([held_out.pixels[:9]])
    assert rows.shape == (9, 4)
    assert rows == pytest.approx(np.column_stack((expected, scores)), rel=1e-5)


def test_real_sessions_in_two_streams_do_not_mix_their_images() -> None:
    images = np.random.default_rng(6).integers(0, 256, (64, 28, 28, 1), np.uint8)
    streams = open_streams(onnx_stream, count=2, max_batch_size=16, name="stream")
    alone = [streams.run([images[index : index + 1]])[0] for index in range(64)]
    with ThreadPoolExecutor(4) as callers:
        together = list(callers.map(lambda index: streams.run([images[index : index + 1]])[0], range(64)))
    assert np.abs(np.stack(together) - np.stack(alone)).max() < 1e-5


def test_streams_that_nobody_holds_end_their_threads() -> None:
    before = set(threading.enumerate())
    streams = streams_over(SimulatedDevice())
    streams.run([pixels(1)])
    mine = set(threading.enumerate()) - before
    assert len(mine) == 2
    del streams
    for thread in mine:
        thread.join(10)
    assert not any(thread.is_alive() for thread in mine)
