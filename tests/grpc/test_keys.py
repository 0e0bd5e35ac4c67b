"""Keys over gRPC: the same file, the same scopes."""

import re
from collections.abc import Iterator

import grpc
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from tests.fixtures.keys import write_keys
from tests.grpc_address import grpc_address_of
from tests.process import ServerProcess


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GRPCInferenceServiceStub, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("grpc-keys")
    flags, keys = write_keys(folder, predict=("predict",), control=("control",))
    flags += ["--grpc-port", "0", "--log-format", "text", "--model-control", "true"]
    with (
        ServerProcess(folder / "log", *flags) as process,
        grpc.insecure_channel(grpc_address_of(process)) as channel,
    ):
        yield GRPCInferenceServiceStub(channel), keys


def test_calls_need_a_key_of_their_scope(guarded: tuple[GRPCInferenceServiceStub, dict[str, str]]) -> None:
    stub, keys = guarded
    assert stub.ServerReady(pb.ServerReadyRequest()).ready
    calls = {
        "predict": lambda metadata: stub.ModelMetadata(pb.ModelMetadataRequest(name="mnist"), metadata=metadata),
        "control": lambda metadata: stub.RepositoryModelLoad(
            pb.RepositoryModelLoadRequest(model_name="mnist"), metadata=metadata
        ),
    }
    for scope, call in calls.items():
        (other,) = calls.keys() - {scope}
        with pytest.raises(grpc.RpcError) as refusal:
            call(())
        assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.RpcError) as refusal:
            call((("x-api-key", keys[other]),))
        assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED
        call((("authorization", f"Bearer {keys[scope]}"),))


def test_a_refusal_names_metadata_that_can_be_sent(guarded: tuple[GRPCInferenceServiceStub, dict[str, str]]) -> None:
    stub, keys = guarded
    with pytest.raises(grpc.RpcError) as refusal:
        stub.ModelMetadata(pb.ModelMetadataRequest(name="mnist"))
    named = re.findall(r"`(\S+): (.*?)`", refusal.value.details())
    assert len(named) == 2
    for name, value in named:
        metadata = ((name, value.replace("KEY", keys["predict"])),)
        assert stub.ModelMetadata(pb.ModelMetadataRequest(name="mnist"), metadata=metadata).name == "mnist"
