"""`grpc.health.v1`, as Kubernetes' probes and load balancers call it."""

import asyncio
import signal
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub, add_HealthServicer_to_server
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from service.grpc.health import HealthServicer
from service.models.catalog import ModelCatalog
from tests.fixtures.keys import write_keys
from tests.fixtures.models import copy_models
from tests.fixtures.tiny_models import put, tiny_model
from tests.grpc.raw_http2 import HEADERS, SETTINGS, begin, call_headers, connection, frame, message, read_until
from tests.grpc_address import grpc_address_of
from tests.inference.test_trial import repository
from tests.models.loading import make_loader
from tests.process import ServerProcess

pytestmark = pytest.mark.slow

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@pytest.fixture
def health(grpc_address: str) -> Iterator[HealthStub]:
    with grpc.insecure_channel(grpc_address) as channel:
        yield HealthStub(channel)


@pytest.mark.parametrize("service", ["", "inference.GRPCInferenceService", "cifar10", "cifar10/1"])
def test_what_serves(health: HealthStub, service: str) -> None:
    assert health.Check(HealthCheckRequest(service=service)).status == SERVING


def test_what_there_is_not(health: HealthStub) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        health.Check(HealthCheckRequest(service="dog"))
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


def test_watching_needs_no_key_and_sees_models_go_and_come_and_the_end(tmp_path: Path) -> None:
    flags, keys = write_keys(tmp_path, control=("control",))
    flags += ["--models-dir", str(copy_models(tmp_path / "models", "cifar10", "mnist")), "--model-control", "true"]
    shown = (("x-api-key", keys["control"]),)
    with (
        ServerProcess(tmp_path / "log", *flags, "--grpc-port", "0", "--log-format", "text") as process,
        grpc.insecure_channel(grpc_address_of(process)) as channel,
    ):
        models = GRPCInferenceServiceStub(channel)
        states = HealthStub(channel).Watch(HealthCheckRequest(service="mnist"), timeout=30)
        assert next(states).status == SERVING
        models.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="mnist"), metadata=shown)
        assert next(states).status == NOT_SERVING
        models.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="mnist"), metadata=shown)
        assert next(states).status == SERVING
        process.process.send_signal(signal.SIGTERM)
        assert [state.status for state in states] == [NOT_SERVING]  # and the call ends
        assert process.process.wait(30) == 0
    assert "Traceback" not in process.log.read_text()


def test_there_is_a_most_of_watchers(health: HealthStub) -> None:
    watching = [health.Watch(HealthCheckRequest(), timeout=30) for _ in range(64)]
    assert {next(states).status for states in watching} == {SERVING}
    with pytest.raises(grpc.RpcError, match="64 calls are watching already"):
        next(health.Watch(HealthCheckRequest(), timeout=30))
    for states in watching:
        states.cancel()


async def catalog_with(root: Path, *names: str) -> ModelCatalog:
    for name in names:
        put(root, name, "1", tiny_model(name))
    loader, catalog = make_loader(repository(root, None))
    await loader.load_all()
    return catalog


@asynccontextmanager
async def serving(health: HealthServicer) -> AsyncIterator[str]:
    """Serves the health alone, in this process; gives its address."""
    server = grpc.aio.server()
    add_HealthServicer_to_server(health, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    health.begin()
    await server.start()
    try:
        yield address
    finally:
        await server.stop(None)


async def test_a_client_that_does_not_read_delays_no_state(tmp_path: Path) -> None:
    catalog = await catalog_with(tmp_path, "one", "two")
    async with serving(HealthServicer(catalog)) as address, grpc.aio.insecure_channel(address) as channel:
        with connection(address) as stream:
            stream.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))  # SETTINGS_INITIAL_WINDOW_SIZE
            begin(stream, 1, call_headers(b"/grpc.health.v1.Health/Watch"), message(b"\x0a\x03one"), end=True)
            # The headers of the answer are not subject to the window, and precede its first message.
            await asyncio.to_thread(read_until, stream, frame(HEADERS, 4, 1)[3:])
            for name in ("one", "two"):
                catalog.withdraw(name, "1")
                answer = await HealthStub(channel).Check(HealthCheckRequest(service=name), timeout=10)
                assert answer.status == NOT_SERVING


async def test_a_state_that_changes_while_the_state_before_is_sent_is_sent_next(tmp_path: Path) -> None:
    catalog = await catalog_with(tmp_path, "one")
    health = HealthServicer(catalog)
    health.begin()
    sent: list[int] = []

    class SlowClient:
        async def write(self, answer: HealthCheckResponse) -> None:
            sent.append(answer.status)
            if len(sent) == 1:
                catalog.withdraw("one", "1")
            else:
                health.end()

    await health.Watch(HealthCheckRequest(service="one"), SlowClient())
    assert sent == [SERVING, NOT_SERVING]


async def test_only_so_many_withdrawn_models_are_remembered(tmp_path: Path) -> None:
    catalog = await catalog_with(tmp_path, "one")
    async with serving(HealthServicer(catalog)) as address, grpc.aio.insecure_channel(address) as channel:
        model = catalog.find("one")
        for version in range(2, 1027):
            catalog.publish(replace(model, metadata=replace(model.metadata, version=str(version))))
            catalog.withdraw("one", str(version))
        stub = HealthStub(channel)
        assert (await stub.Check(HealthCheckRequest(service="one/3"))).status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
            await stub.Check(HealthCheckRequest(service="one/2"))
