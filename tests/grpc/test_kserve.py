"""KServe's client over REST and gRPC gets the same answers as `/predict`."""

import asyncio
import json
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.process import ROOT, ServerProcess

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
async def test_every_call(
    grpc_server: ServerProcess, grpc_address: str, samples: dict[str, list[Path]], name: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "tests/grpc/kserve_calls.py", grpc_server.url, grpc_address, name, *samples[name]),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    said = json.loads(output)

    parts = [("file", (path.name, path.read_bytes())) for path in samples[name]]
    async with httpx.AsyncClient(base_url=grpc_server.url) as http:
        predictions = (await http.post(f"/models/{name}/predict", files=parts)).json()["predictions"]
    expected = [list(entry["probabilities"].values()) for entry in predictions]

    ready = [key for key, value in said.items() if value is True]
    assert ready == ["rest live", "rest ready", "rest model ready", "grpc live", "grpc ready", "grpc model ready"]
    assert said["grpc no model ready"] is False
    for transport in ("rest", "grpc"):
        assert said[transport]["id"] == "42"
        np.testing.assert_allclose(said[transport]["rows"], expected, atol=1e-6)
    assert said["grpc"]["version"] == "1"  # its REST client does not return it
    labels = [entry[0].split(":")[2] for entry in said["rest classes"]]
    assert labels == [entry["label"] for entry in predictions]
