"""One of several services is stopped: clients that are configured as in docs/scaling.md lose no call."""

import asyncio
import re
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from tests.fixtures.models import copy_models
from tests.grpc_address import grpc_address_of
from tests.process import ROOT, ServerProcess

pytestmark = pytest.mark.slow

[CONFIG] = re.findall(r"^CONFIG = '(.*)'$", (ROOT / "docs" / "scaling.md").read_text(), re.MULTILINE)


async def test_clients_leave_a_service_that_ends_before_it_refuses_calls(tmp_path: Path) -> None:
    request = pb.ModelInferRequest(model_name="cifar10", raw_input_contents=[bytes(3072)])
    request.inputs.add(name="image", datatype="UINT8", shape=[1, 32, 32, 3])
    models = copy_models(tmp_path / "models", "cifar10")
    flags = ("--grpc-port", "0", "--log-format", "text", "--drain-delay-s", "2", "--models-dir", str(models))
    counts: Counter[str] = Counter()
    has_ended = asyncio.Event()

    async def ask(address: str) -> None:
        # Channels in one process would share their connections.
        options = [("grpc.service_config", CONFIG), ("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            stub = GRPCInferenceServiceStub(channel)
            while not has_ended.is_set():
                try:
                    await stub.ModelInfer(request, timeout=10)
                    counts["answered"] += 1
                except grpc.aio.AioRpcError as error:
                    counts[f"{error.code()}: {error.details()}"] += 1

    with ExitStack() as stack:
        ends, stays = (stack.enter_context(ServerProcess(tmp_path / name, *flags)) for name in ("ends", "stays"))
        address = f"ipv4:{grpc_address_of(ends)},{grpc_address_of(stays)}"
        clients = [asyncio.create_task(ask(address)) for _ in range(8)]
        while counts["answered"] < 200:  # noqa: ASYNC110  counted by the clients
            await asyncio.sleep(0.02)
        status = await asyncio.to_thread(ends.stop, signal.SIGTERM)
        before = counts["answered"]
        while counts["answered"] < before + 100:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        has_ended.set()
        await asyncio.gather(*clients)
    assert status == 0
    assert list(counts) == ["answered"]
