"""Calls have limits for bytes, number of calls, parts and time. Hostile calls do not stop the service."""

import asyncio
import gzip
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import psutil
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from service.errors import MalformedRequestError, TooLargeError
from service.grpc.wire import check_parts
from tests.fixtures.keys import write_keys
from tests.grpc.raw_http2 import (
    ACKNOWLEDGED,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    INFER,
    PING,
    SETTINGS,
    begin,
    call_headers,
    connection,
    frame,
    message,
    read_until,
)
from tests.grpc_address import grpc_address_of
from tests.process import ROOT, ServerProcess
from tests.waiting import until

pytestmark = pytest.mark.slow

GRPC = ("--grpc-port", "0", "--log-format", "text")
MOST_CALLS = 8
MOST_GROWTH_BYTES = 60e6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grpc-bounds")


@pytest.fixture(scope="module")
def keys(folder: Path) -> tuple[list[str], dict[str, str]]:
    return write_keys(folder, predict=("predict",))


@pytest.fixture(scope="module")
def key(keys: tuple[list[str], dict[str, str]]) -> bytes:
    return keys[1]["predict"].encode()


@contextmanager
def serving(log: Path, *flags: str) -> Iterator[ServerProcess]:
    with ServerProcess(log, *GRPC, *flags) as server:
        yield server
    text = log.read_text()
    assert "Traceback" not in text
    assert "ERROR" not in text


@pytest.fixture(scope="module")
def process(folder: Path, keys: tuple[list[str], dict[str, str]]) -> Iterator[ServerProcess]:
    with serving(folder / "log", *keys[0], "--request-timeout-s", "1", "--max-grpc-calls", str(MOST_CALLS)) as server:
        yield server


@pytest.fixture(scope="module")
def patient_process(folder: Path, keys: tuple[list[str], dict[str, str]]) -> Iterator[ServerProcess]:
    """A service with a long time limit, so that a busy machine does not change the answers."""
    with serving(folder / "patient-log", *keys[0]) as server:
        yield server


def is_alive(process: ServerProcess) -> bool:
    with grpc.insecure_channel(grpc_address_of(process)) as channel:
        return bool(GRPCInferenceServiceStub(channel).ServerLive(pb.ServerLiveRequest(), timeout=10).live)


def infer_request(model: str, *raw: bytes) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name=model, raw_input_contents=raw)
    request.inputs.add(name="image", datatype="UINT8", shape=[1, 32, 32, 3])
    return request


@asynccontextmanager
async def growth_of(process: ServerProcess) -> AsyncIterator[list[float]]:
    """Samples the growth of the service's memory every few milliseconds."""
    service = psutil.Process(process.process.pid)
    before, seen = service.memory_info().rss, [0.0]

    async def watch() -> None:
        while True:
            seen.append(service.memory_info().rss - before)
            await asyncio.sleep(0.005)

    task = asyncio.create_task(watch())
    yield seen
    task.cancel()


async def send(process: ServerProcess, request: bytes, times: int, at_once: int, key: bytes = b"") -> set[str]:
    codes = set()
    places = asyncio.Semaphore(at_once)
    options = (("grpc.max_send_message_length", -1),)
    async with grpc.aio.insecure_channel(grpc_address_of(process), options=options) as channel:
        call = channel.unary_unary(INFER.decode())

        async def send_one() -> None:
            async with places:
                with pytest.raises(grpc.aio.AioRpcError) as refusal:
                    await call(request, metadata=(("x-api-key", key.decode()),) if key else (), timeout=30)
                codes.add(refusal.value.code().name)

        await asyncio.gather(*(send_one() for _ in range(times)))
    return codes


async def test_messages_without_a_key_are_not_read(process: ServerProcess) -> None:
    request = infer_request("cifar10", os.urandom(15 << 20)).SerializeToString()
    async with growth_of(process) as growth:
        codes = await send(process, request, times=40, at_once=MOST_CALLS)
    assert codes == {"UNAUTHENTICATED"}
    assert max(growth) < MOST_GROWTH_BYTES / 2


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        pytest.param(infer_request("dog", bytes(15 << 20)).SerializeToString(), "NOT_FOUND", id="no such model"),
        pytest.param(infer_request("cifar10", bytes(15 << 20)).SerializeToString(), "INVALID_ARGUMENT", id="length"),
        pytest.param(b"\xff" * (15 << 20), "INVALID_ARGUMENT", id="garbage"),
    ],
)
async def test_refused_messages_leave_nothing(
    patient_process: ServerProcess, key: bytes, request_bytes: bytes, code: str
) -> None:
    await send(patient_process, request_bytes, times=2, at_once=1, key=key)
    async with growth_of(patient_process) as growth:
        assert await send(patient_process, request_bytes, times=25, at_once=2, key=key) == {code}
        while growth[-1] > MOST_GROWTH_BYTES:  # noqa: ASYNC110  what was freed is returned within a second
            await asyncio.sleep(0.05)


def test_an_unfinished_message_is_cut_off(process: ServerProcess, key: bytes) -> None:
    headers = call_headers(INFER, [(b"x-api-key", key)])
    with connection(grpc_address_of(process)) as stream:
        begin(stream, 1, headers, message(b"abc", promised=1000))
        assert b"the message did not arrive within 1 s" in read_until(stream, b"within 1 s")


def test_there_is_a_most_of_calls_at_once(process: ServerProcess, key: bytes) -> None:
    headers = call_headers(INFER, [(b"x-api-key", key)])
    with ExitStack() as stack:
        stream = stack.enter_context(connection(grpc_address_of(process)))
        for number in range(MOST_CALLS):
            begin(stream, 2 * number + 1, headers, message(b"abc", promised=1000))
        begin(stream, 2 * MOST_CALLS + 1, headers, message(b"abc", promised=1000))
        assert b"Concurrent RPC limit exceeded" in read_until(stream, b"exceeded", b"within 1 s")
    until(lambda: is_alive(process))  # its calls end soon after the connection


@pytest.mark.parametrize(
    "headers",
    [
        call_headers(b"/inference.GRPCInferenceService/\xff\xfe"),
        call_headers(b""),
        call_headers(INFER, [(b"x-api-key", b"\xff\xfe")]),
        call_headers(INFER, [(b"authorization", b"Bearer \xff")]),
        call_headers(INFER, [(b"some-bin", b"!!!")]),
        call_headers(INFER, [(b"grpc-timeout", b"soon")]),
        call_headers(INFER, [(b"grpc-encoding", b"none such")]),
    ],
)
def test_garbage_ends_nothing(process: ServerProcess, headers: bytes) -> None:
    with connection(grpc_address_of(process)) as stream:
        begin(stream, 1, headers, message(b"\xff\xff\xff"), end=True)
        read_until(stream, b"grpc-status", b"\0\0\0\0\x01\0\0\0\0")
    assert is_alive(process)


def test_bytes_that_are_no_protocol_end_nothing(process: ServerProcess) -> None:
    with connection(grpc_address_of(process)) as stream:
        stream.sendall(os.urandom(4096))
        read_until(stream)
    assert is_alive(process)


class TestParts:
    def test_an_honest_message(self) -> None:
        request = infer_request("mnist", bytes(1 << 20))
        request.inputs[0].contents.bytes_contents.extend([b"file"] * 1024)
        request.inputs[0].contents.uint_contents.extend([255] * 100_000)
        check_parts(request.SerializeToString(), 1280)

    @pytest.mark.parametrize("field", ["inputs", "outputs", "raw_input_contents"])
    def test_a_million_empty_ones(self, field: str) -> None:
        number = pb.ModelInferRequest.DESCRIPTOR.fields_by_name[field].number
        with pytest.raises(TooLargeError, match="more than 1280 parts"):
            check_parts(bytes((number << 3 | 2, 0)) * 1_000_000, 1280)

    def test_a_million_files(self) -> None:
        request = infer_request("mnist")
        request.inputs[0].contents.bytes_contents.extend([b""] * 1_000_000)
        with pytest.raises(TooLargeError, match="more than 1280 parts"):
            check_parts(request.SerializeToString(), 1280)

    @pytest.mark.parametrize("field", ["bool_contents", "int64_contents", "uint_contents", "fp64_contents"])
    def test_numbers_of_many_bytes(self, field: str) -> None:
        request = infer_request("mnist")
        getattr(request.inputs[0].contents, field).extend([1] * 1_100_000)
        with pytest.raises(TooLargeError, match="raw_input_contents"):
            check_parts(request.SerializeToString(), 1280)

    @pytest.mark.parametrize("content", [b"\xff" * 20, b"\x0b", b"\x0a\x7f", b"\x0d\0", b"\x2a\x02\x0a\x05"])
    def test_what_is_no_message(self, content: bytes) -> None:
        with pytest.raises(MalformedRequestError):
            check_parts(content, 1280)


def test_answers_that_are_not_read_are_counted(tmp_path: Path) -> None:
    request = pb.ModelInferRequest(model_name="mnist", raw_input_contents=[bytes(800 * 28 * 28)])
    request.inputs.add(name="image", datatype="UINT8", shape=[800, 28, 28, 1])
    request.outputs.add(name="probabilities").parameters["classification"].int64_param = 10  # an answer of 120 kB
    packed = gzip.compress(request.SerializeToString())
    sent = b"\1" + message(packed)[1:]
    room = ("--max-body-bytes", "700000", "--max-body-bytes-in-flight", "1700000")
    with (
        ServerProcess(tmp_path / "log", *GRPC, *room) as server,
        connection(grpc_address_of(server)) as client,
    ):
        client.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1000)))  # answer bytes that the client accepts
        headers, told = call_headers(INFER, [(b"grpc-encoding", b"gzip")]), b""
        for number in range(1, 20, 2):
            begin(client, number, headers, sent, end=True)
            told += read_until(client, struct.pack(">BBI", HEADERS, END_HEADERS, number))
        assert b"in flight fill" in told or b"in flight fill" in read_until(client, b"in flight fill")


def test_a_call_in_flight_is_answered_during_the_drain(tmp_path: Path) -> None:
    request = infer_request("cifar10", bytes(3072)).SerializeToString()
    with (
        ServerProcess(tmp_path / "log", *GRPC) as server,
        connection(grpc_address_of(server)) as stream,
    ):
        begin(stream, 1, call_headers(INFER), message(request)[:50])
        stream.sendall(frame(PING, 0, 0, bytes(8)))
        read_until(stream, struct.pack(">BBI", PING, ACKNOWLEDGED, 0))  # what was sent before it has been read
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "Shutting down" in server.log.read_text())
        stream.sendall(frame(DATA, END_STREAM, 1, message(request)[50:]))
        assert b"probabilities" in read_until(stream, b"grpc-status")
        stream.close()  # else gRPC waits 20 s for an acknowledgement, which this client does not send
        assert server.process.wait(30) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_is_said_at_start(process: ServerProcess, workers: str) -> None:
    port = grpc_address_of(process).rpartition(":")[2]
    command = [sys.executable, "-m", "service", "--port", "0", "--grpc-port", port, "--workers", workers]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode != 0
    assert f"grpc_port: cannot listen on 127.0.0.1:{port}; is it taken?" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_workers_share_a_free_port(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log", *GRPC, "--workers", "2") as server:
        assert len(set(re.findall(r"gRPC serves at (\S+)", server.log.read_text()))) == 1
        assert all(is_alive(server) for _ in range(8))
