"""`grpc.health.v1`, as Kubernetes' probes and load balancers call it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from tests.fixtures.keys import write_keys
from tests.fixtures.models import copy_models
from tests.grpc.address import grpc_address_of
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
        assert next(states).status == NOT_SERVING
        states.cancel()
        assert process.process.wait(30) == 0
    assert "Traceback" not in process.log.read_text()


def test_there_is_a_most_of_watchers(health: HealthStub) -> None:
    watching = [health.Watch(HealthCheckRequest(), timeout=30) for _ in range(64)]
    assert {next(states).status for states in watching} == {SERVING}
    with pytest.raises(grpc.RpcError, match="64 calls are watching already"):
        next(health.Watch(HealthCheckRequest(), timeout=30))
    for states in watching:
        states.cancel()
