"""Formats without bounded decoding time are decoded in a child process that can be killed; later files still work."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import psutil
import pytest

from bench.reliability.hostile_pictures import webp
from bench.reliability.hostile_pictures.picture import encode, photo
from imaging import Target, TooSlowError, UnreadableError, examine, most_cpu_s, read
from service.decoding import DecodeChildren, Decoder, DecodeThreads, Deferred, Upload
from service.decoding.decode_children import NoChildError
from service.errors import DeadlineExceededError, InvalidImagesError
from service.http.body_budget import BodyBudget
from tests.imaging.profiles import P3_PRIMARIES, inks_profile, rgb_profile
from tests.process import FIXTURES

TARGET = Target(32, 32, "RGB", "cover", light_on_dark=False)
GENEROUS = {"cpu_s": 10.0, "memory_bytes": 1 << 30, "deadline": time.perf_counter() + 1e5}
LOSSLESS = encode(photo(40, 30), "WEBP", lossless=True)


@pytest.fixture
def children() -> Iterator[DecodeChildren]:
    with DecodeChildren(1) as started:
        yield started
    assert not processes()


def processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "decode_child" in " ".join(child.cmdline())]


def slow_file(side: int) -> bytes:
    return next(file.data for file in webp.hostile(side, side) if file.name.endswith("groups of codes"))


def test_a_child_makes_the_pixels_that_this_process_makes(children: DecodeChildren) -> None:
    for data in (LOSSLESS, encode(photo(300, 200), "AVIF"), encode(photo(50, 50), "TIFF", compression="tiff_lzw")):
        assert np.array_equal(children.decode(data, TARGET, **GENEROUS), read(data, TARGET))
    assert len(processes()) == 1


@pytest.mark.skipif(find_spec("pi_heif") is None, reason="the extra `heif` is not installed")
def test_the_first_picture_of_a_child_may_be_a_small_heic(children: DecodeChildren) -> None:
    data = (FIXTURES / "formats" / "photo.heic").read_bytes()
    cpu_s = most_cpu_s(examine(data).estimate_s(TARGET, is_apart=True))
    assert np.array_equal(children.decode(data, TARGET, **GENEROUS | {"cpu_s": cpu_s}), read(data, TARGET))


@pytest.mark.parametrize("mode", ["CMYK", "LAB", "RGB"])
def test_making_the_transform_of_a_colour_profile_is_no_reason_to_be_ended(children: DecodeChildren, mode: str) -> None:
    profile = {"CMYK": inks_profile(), "LAB": b"", "RGB": rgb_profile(P3_PRIMARIES)}[mode]
    data = encode(photo(50, 50).convert(mode), "TIFF", compression="tiff_adobe_deflate", icc_profile=profile)
    cpu_s = most_cpu_s(examine(data).estimate_s(TARGET, is_apart=True))
    assert np.array_equal(children.decode(data, TARGET, **GENEROUS | {"cpu_s": cpu_s}), read(data, TARGET))


def test_a_file_that_takes_too_long_is_ended_and_the_next_is_read(children: DecodeChildren) -> None:
    slow = slow_file(512)
    children.decode(LOSSLESS, TARGET, **GENEROUS)
    (watcher,) = processes()
    before = sum(watcher.cpu_times()[:4])
    for _ in range(3):
        with pytest.raises(TooSlowError):
            children.decode(slow, TARGET, **GENEROUS | {"cpu_s": 0.02})
    assert sum(watcher.cpu_times()[:4]) - before < 0.5
    children.decode(LOSSLESS, TARGET, **GENEROUS)
    assert processes() == [watcher]


def test_a_file_that_takes_too_much_memory_is_refused(children: DecodeChildren) -> None:
    with pytest.raises(UnreadableError):
        children.decode(slow_file(512), TARGET, **GENEROUS | {"memory_bytes": 20 << 20})
    children.decode(LOSSLESS, TARGET, **GENEROUS)


def test_a_damaged_file_is_refused_with_the_reason(children: DecodeChildren) -> None:
    with pytest.raises(UnreadableError, match="truncated"):
        children.decode(LOSSLESS[:-40], TARGET, **GENEROUS)


def test_past_the_deadline_nothing_goes_on(children: DecodeChildren) -> None:
    children.decode(LOSSLESS, TARGET, **GENEROUS)
    (watcher,) = processes()
    with pytest.raises(DeadlineExceededError):
        children.decode(slow_file(512), TARGET, **GENEROUS | {"deadline": time.perf_counter() + 0.02})
    assert not watcher.is_running()
    children.decode(LOSSLESS, TARGET, **GENEROUS)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_was_killed_is_replaced(children: DecodeChildren, number: signal.Signals) -> None:
    children.decode(LOSSLESS, TARGET, **GENEROUS)
    (watcher,) = processes()
    (worker,) = watcher.children()
    worker.send_signal(number)
    worker.wait()
    children.decode(LOSSLESS, TARGET, **GENEROUS)


def test_a_codec_that_fails_ends_its_worker_only(children: DecodeChildren) -> None:
    children.decode(LOSSLESS, TARGET, **GENEROUS)
    (watcher,) = processes()
    (worker,) = watcher.children()
    ended = threading.Thread(target=_end_when_it_computes, args=(worker,))
    ended.start()
    with pytest.raises(UnreadableError, match="made the decoder fail"):
        children.decode(slow_file(512), TARGET, **GENEROUS)
    ended.join()
    children.decode(LOSSLESS, TARGET, **GENEROUS)
    assert processes() == [watcher]


def _end_when_it_computes(worker: psutil.Process) -> None:
    before = worker.cpu_times().user
    while worker.cpu_times().user < before + 0.02:
        pass
    worker.send_signal(signal.SIGSEGV)


def test_a_child_that_cannot_start_is_not_the_fault_of_the_picture(
    children: DecodeChildren, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.decoding.decode_children._RUN_CHILD", "raise SystemExit(1)")
    with pytest.raises(NoChildError):
        children.decode(LOSSLESS, TARGET, **GENEROUS)


async def test_where_no_child_can_start_a_thread_decodes(
    children: DecodeChildren, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.decoding.decode_children._RUN_CHILD", "raise SystemExit(1)")
    with DecodeThreads(1) as threads:
        decoder = Decoder(
            max_pixels=1 << 22, loop_work_s=1, threads=threads, children=children, budget=BodyBudget(1 << 30)
        )
        wait = {"deadline": time.perf_counter() + 1e5, "is_abandoned": lambda: False}
        assert np.array_equal((await decoder.decode([Upload(LOSSLESS)], TARGET, **wait))[0], read(LOSSLESS, TARGET))


def test_a_stop_of_the_whole_group_does_not_reach_it(children: DecodeChildren) -> None:
    children.decode(LOSSLESS, TARGET, **GENEROUS)
    (watcher,) = processes()
    assert os.getpgid(watcher.pid) != os.getpgid(0)
    for process in (watcher, *watcher.children()):
        process.terminate()
    children.decode(LOSSLESS, TARGET, **GENEROUS)
    assert processes() == [watcher]


async def test_the_decoder_gives_children_what_no_header_bounds(children: DecodeChildren) -> None:
    slow, good = Upload(slow_file(256), "slow.webp"), Upload(LOSSLESS)
    assert not examine(slow.data).cost.is_bounded
    with DecodeThreads(1) as threads:
        budget = BodyBudget(1 << 30)
        decoder = Decoder(max_pixels=1 << 22, loop_work_s=1, threads=threads, children=children, budget=budget)
        assert isinstance(decoder.decode_soon([good], TARGET, []), Deferred)
        wait = {"deadline": time.perf_counter() + 1e5, "is_abandoned": lambda: False}
        assert np.array_equal((await decoder.decode([good], TARGET, **wait))[0], read(good.data, TARGET))
        with pytest.raises(InvalidImagesError) as refusal:
            await decoder.decode([good, slow, good], TARGET, **wait)
        assert [fault.index for fault in refusal.value.faults] == [1]
        assert "many times longer" in refusal.value.faults[0].reason
        assert budget.held == 0
