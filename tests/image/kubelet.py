"""Acts as a kubelet on a pod: probes, ``preStop`` and SIGTERM, and requests at the same time.

For some seconds after the end of the pod was requested, requests still come over new connections, from proxies that do
not know of it yet; requests over open connections continue until the service closes them.
"""

import asyncio
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.image.test_image import Run

_KEPT, _NEW = 8, 4
_PROXIES_HEAR_S = 5


class Kubelet:
    """Probes a pod, sends requests to it, and ends it.

    Args:
        pod: its specification.
        port: of its container.
        grpc_port: of its container, for gRPC.
        run: the run of the tool that has started the container.
        stop: a file; when it exists, the tool sends SIGTERM.
    """

    def __init__(self, pod: dict[str, Any], port: int, grpc_port: int, run: Run, stop: Path) -> None:
        [self._container] = pod["containers"]
        self._port = port
        self._grpc_address = f"127.0.0.1:{grpc_port}"
        self._run = run
        self._stop = stop
        self._found: Counter[str] = Counter()
        self._is_known = True  # proxies know the pod and open connections to it

    async def live(self, picture: bytes, names: tuple[str, ...]) -> Counter[str]:
        """Runs the pod from start to end; counts answers, lost requests and failed probes."""
        await self._start()
        for name in names:
            status, _ = await self._ask(f"GET /v2/models/{name}/ready", b"")
            self._found[f"{'passed' if status == 200 else 'failed'} model {name}"] += 1
        probes = [asyncio.create_task(self._probe(kind)) for kind in ("readinessProbe", "livenessProbe")]
        clients = [asyncio.create_task(self._keep_asking(picture)) for _ in range(_KEPT)]
        clients += [asyncio.create_task(self._ask_anew(picture)) for _ in range(_NEW)]
        await asyncio.sleep(5)  # the pod serves for some time before it is ended
        asyncio.get_running_loop().call_later(_PROXIES_HEAR_S, self._leave_proxies)
        sleep = self._container.get("lifecycle", {}).get("preStop", {}).get("sleep", {"seconds": 0})
        await asyncio.sleep(sleep["seconds"])
        for probe in probes:  # a kubelet continues its probes, but failures no longer count
            probe.cancel()
        self._stop.touch()
        await asyncio.gather(*clients)
        return self._found

    def _leave_proxies(self) -> None:
        self._is_known = False

    async def _start(self) -> None:
        """The startup probe; while the image is built and nothing listens, attempts are not counted."""
        probe = self._container["startupProbe"]
        begun = 0.0
        while self._run.goes_on():
            try:
                status, _ = await self._ask(f"GET {probe['httpGet']['path']}", b"")
            except (OSError, EOFError):
                status = 0
            if status == 200:
                self._found["startup s"] = round(time.monotonic() - begun) if begun else 0
                return
            # Docker's proxy listens as soon as the container exists, and the service later.
            begun = begun or (time.monotonic() if await self._listens() else 0.0)
            assert not begun or time.monotonic() - begun < probe["periodSeconds"] * probe["failureThreshold"]
            await asyncio.sleep(0.2)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        return True

    async def _probe(self, kind: str) -> None:
        probe = self._container[kind]
        while True:
            try:
                async with asyncio.timeout(probe["timeoutSeconds"]):
                    passed = await self._passes(probe)
            except (OSError, EOFError, TimeoutError, grpc.aio.AioRpcError):
                passed = False
            self._found[f"{'passed' if passed else 'failed'} {kind}{' over gRPC' if 'grpc' in probe else ''}"] += 1
            await asyncio.sleep(probe["periodSeconds"])

    async def _passes(self, probe: dict[str, Any]) -> bool:
        if "grpc" in probe:
            async with grpc.aio.insecure_channel(self._grpc_address) as channel:
                answer = await HealthStub(channel).Check(HealthCheckRequest(service=probe["grpc"].get("service", "")))
                return bool(answer.status == HealthCheckResponse.SERVING)
        status, _ = await self._ask(f"GET {probe['httpGet']['path']}", b"")
        return status == 200

    async def _ask_anew(self, picture: bytes) -> None:
        """Sends each request over a new connection, as long as proxies open new ones."""
        while self._is_known:
            try:
                status, _ = await self._ask("POST /predict", picture)
                self._found[f"answered {status}"] += 1
            except (OSError, EOFError) as error:
                self._found[f"lost: {error!r}"] += 1
            await asyncio.sleep(0.02)

    async def _keep_asking(self, picture: bytes) -> None:
        """Sends requests over one connection until the service announces that it closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            is_open = True
            while is_open:
                status, is_open = await self._exchange(reader, writer, "POST /predict", picture)
                self._found[f"answered {status}"] += 1
                await asyncio.sleep(0.01)
        except (OSError, EOFError) as error:
            self._found[f"lost: {error!r}"] += 1
        finally:
            writer.close()

    async def _ask(self, line: str, body: bytes) -> tuple[int, bool]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            return await self._exchange(reader, writer, line, body)
        finally:
            writer.close()

    @staticmethod
    async def _exchange(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str, body: bytes
    ) -> tuple[int, bool]:
        """The status of an answer, and whether the connection stays open."""
        head = f"{line} HTTP/1.1\r\nHost: pod\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", answer)
        content = await reader.readexactly(int(length[1]) if length else 0)
        assert line.startswith("GET") or json.loads(content)["predictions"][0]["label"] == "cat"
        return int(answer.split()[1]), "connection: close" not in answer
