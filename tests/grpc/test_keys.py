"""Keys over gRPC: the same file, the same scopes."""

import re
from collections.abc import Iterator

import grpc
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from service.access.api_key import make_key
from service.access.key_file import write_entry
from tests.process import ServerProcess

_ADDRESS = re.compile(r"gRPC serves at (\S+)")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GRPCInferenceServiceStub, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("grpc-keys")
    made = {scope: make_key(scope, frozenset((scope,)), None) for scope in ("predict", "control")}
    (folder / "keys.toml").write_text("\n".join(write_entry(known) for _, known in made.values()))
    flags = ("--grpc-port", "0", "--keys-file", str(folder / "keys.toml"), "--log-format", "text")
    with ServerProcess(folder / "log", *flags, "--model-control", "true") as process:
        found = _ADDRESS.search(process.log.read_text())
        assert found is not None
        with grpc.insecure_channel(found[1]) as channel:
            yield GRPCInferenceServiceStub(channel), {scope: key for scope, (key, _) in made.items()}


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
