"""Sends damaged requests of every kind, with various time limits, beside ordinary ones that must not be affected.

::

    a good request ─ bytes changed, cut, doubled ─ a time limit from 1 ms on ─> /predict, /v2, gRPC, the head itself
    ordinary clients ───────────────────────────────────────────────────────────> counted as in the other measurements

No request may get 500, hang, or end the service, and the service's memory, threads and open files must not grow.
"""

import asyncio
import base64
import io
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import psutil
from PIL import Image

from bench.reliability.client import PICTURES, load, until
from bench.request_bytes import npy_bytes, picture_bytes
from bench.server_process import ServerProcess
from service.grpc.open_inference_pb2 import ModelInferRequest

_PICTURE: Final = PICTURES["cifar10"]
_INFER: Final = "/inference.GRPCInferenceService/ModelInfer"
_ANSWER_TIMEOUT_S: Final = 40.0
_PATIENCE_S: Final = 2.0
_BAD_CALLS: Final = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)
_SAMPLES: Final = 30
_ORDINARY: Final = 2


async def fuzz(log: Path, seconds: float, clients: int, seed: int) -> dict[str, object]:
    """Sends damaged requests for some time.

    Args:
        log: file that gets the service's output.
        seconds: duration.
        clients: number of clients that send damaged requests over HTTP; half as many more use gRPC.
        seed: of the damage; it does not determine the order in which requests arrive.

    Returns:
        Counts of answers by kind and status, counts of ordinary requests' outcomes, the first requests that failed
        (base64), and samples [memory in MiB, threads, open files].
    """
    answers, failures = Counter[str](), list[str]()
    with ServerProcess(log, "--grpc-port", "0") as process:
        where, going = process.address, until(seconds)
        channel = grpc.aio.insecure_channel(f"{where[0]}:{_grpc_port(log)}")
        watched: list[tuple[int, int, int]] = []
        ordinary = asyncio.ensure_future(load(process, "cifar10", _ORDINARY, going))
        await asyncio.gather(
            ordinary,
            _watch(process, seconds / _SAMPLES, going, watched),
            *(_over_http(where, random.Random(seed + n), going, answers, failures) for n in range(clients)),
            *(_over_grpc(channel, random.Random(-seed - n), going, answers, failures) for n in range(clients // 2)),
        )
        await channel.close()
        status = process.stop()
    text = await asyncio.to_thread(log.read_text)
    return {
        "ordinary": dict(ordinary.result()),
        "answers": dict(sorted(answers.items())),
        "failures": failures[:10],
        "memory_mib_threads_files": watched,
        "tracebacks": text.count("Traceback"),
        "exit": status,
    }


def _grpc_port(log: Path) -> int:
    for line in log.read_text().splitlines():
        if "gRPC" in line or "grpc" in line:
            numbers = [word.strip('".,}') for word in line.replace(":", " ").split()]
            return int(next(word for word in reversed(numbers) if word.isdigit()))
    raise RuntimeError(f"no port of gRPC in\n{log.read_text()}")


async def _watch(
    server: ServerProcess, every_s: float, goes_on: Callable[[], bool], seen: list[tuple[int, int, int]]
) -> None:
    process = psutil.Process(server.process.pid)
    while goes_on():
        seen.append((round(server.memory().rss_mib), process.num_threads(), process.num_fds()))
        await asyncio.sleep(every_s)


async def _over_http(
    where: tuple[str, int],
    source: random.Random,
    goes_on: Callable[[], bool],
    answers: Counter[str],
    failures: list[str],
) -> None:
    while goes_on():
        kind, request = _http_request(source)
        status = await _send(where, request)
        answers[f"{kind}: {status}"] += 1
        if status in ("500", "no answer"):
            failures.append(f"{status} {base64.b64encode(request).decode()}")


async def _send(where: tuple[str, int], request: bytes) -> str:
    """Sends bytes on a new connection; returns the status of the answer."""
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*where)
            answering = asyncio.ensure_future(reader.read())
            try:
                writer.write(request)
                if not (await asyncio.wait((answering,), timeout=_PATIENCE_S))[0]:
                    writer.write_eof()  # the head may announce more than there is
                answer = await answering
            finally:
                answering.cancel()
                writer.close()
    except TimeoutError:
        return "no answer"
    except OSError:
        return "closed"
    return answer[9:12].decode("latin-1") if answer else "closed"


def _http_request(source: random.Random) -> tuple[str, bytes]:
    """One request, mostly with a damaged body or head."""
    kind = source.choice(("picture", "form", "json", "npy", "v2", "v2 binary", "head"))
    path, media_type, body, further = _good_request("picture" if kind == "head" else kind, source)
    if kind != "head" and source.random() < 0.9:
        body = _damaged(body, source)
    query = source.choice(
        ("", "", "?top_k=3", "?probabilities=none", "?on_error=report", "?version=2&top_k=", "?x=%ff")
    )
    lines = [
        f"POST {path}{query} HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body)}",
        *further,
    ]
    if source.random() < 0.5:
        lines.append(f"X-Request-Timeout-Ms: {source.choice((1, 1, 2, 3, 5, 10, 50, 1000))}")
    head = "\r\n".join((*lines, "", "")).encode()
    return kind, (_damaged(head, source) if kind == "head" else head) + body


def _good_request(kind: str, source: random.Random) -> tuple[str, str, bytes, list[str]]:
    """Path, media type, body and further headers."""
    if kind == "picture":
        return "/predict", "image/png", _picture(source), []
    if kind == "form":
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        return "/predict", "multipart/form-data; boundary=b", part + _PICTURE + b"\r\n--b--\r\n", []
    if kind == "json":
        text = json.dumps({"images": [base64.b64encode(_picture(source)).decode()] * source.randint(1, 3), "top_k": 3})
        return "/predict", "application/json", text.encode(), []
    if kind == "npy":
        pixels = np.zeros((source.randint(1, 4), 32, 32, 3), np.uint8)
        return "/predict", "application/x-npy", npy_bytes(pixels), []
    tensor: dict[str, object] = {"name": "image", "shape": [1, 32, 32, 3], "datatype": "UINT8"}
    document: dict[str, object] = {"inputs": [tensor], "parameters": {"timeout": source.choice((1, 1000, 10**6))}}
    if kind == "v2":
        tensor["data"] = [0] * 3072
        return "/v2/models/cifar10/infer", "application/json", json.dumps(document).encode(), []
    tensor["parameters"] = {"binary_data_size": 3072}
    text = json.dumps(document)
    further = [f"Inference-Header-Content-Length: {len(text)}"]
    return "/v2/models/cifar10/infer", "application/octet-stream", text.encode() + bytes(3072), further


def _picture(source: random.Random) -> bytes:
    """A picture of some format and size."""
    kind = source.choice(("PNG", "PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"))
    if kind == "PNG":
        return _PICTURE
    with Image.open(io.BytesIO(_PICTURE)) as picture:
        return picture_bytes(picture.resize((source.randint(1, 200), source.randint(1, 200))), kind)


def _damaged(data: bytes, source: random.Random) -> bytes:
    """Bytes with a few changes: flipped, cut out, doubled, or replaced by difficult input for parsers."""
    changed = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 4, 16))):
        at = source.randrange(len(changed) + 1)
        length = min(source.choice((1, 2, 4, 30, 300)), len(changed) - at)
        change = source.randrange(4)
        if change == 0 and at < len(changed):
            changed[at] ^= 1 << source.randrange(8)
        elif change == 1:
            del changed[at : at + length]
        elif change == 2:
            changed[at:at] = changed[at : at + length] * source.choice((1, 2, 50))
        else:
            changed[at : at + length] = source.choice(
                (
                    b"\0",
                    b"\xff\xff\xff\xff",
                    b"\r\n",
                    b"[[[[",
                    b"-1",
                    b"1e999",
                    b'"',
                    b"\x7f\xff\xff\xff",
                    b"NaN",
                    b"{}",
                )
            )
    return bytes(changed)


async def _over_grpc(
    channel: grpc.aio.Channel,
    source: random.Random,
    goes_on: Callable[[], bool],
    answers: Counter[str],
    failures: list[str],
) -> None:
    call: Callable[..., Awaitable[bytes]] = channel.unary_unary(_INFER)
    while goes_on():
        tensor = ModelInferRequest.InferInputTensor(name="image", datatype="UINT8", shape=[1, 32, 32, 3])
        message = ModelInferRequest(model_name="cifar10", inputs=[tensor], raw_input_contents=[bytes(3072)])
        data = message.SerializeToString()
        if source.random() < 0.9:
            data = _damaged(data[:-3000], source) + bytes(source.choice((3000, 3000, 0)))
        limit_s = source.choice((1e-3, 2e-3, 5e-3, 1.0, 10.0))
        try:
            await call(data, timeout=limit_s)
            status = "OK"
        except grpc.aio.AioRpcError as error:
            status = error.code().name
            if error.code() in _BAD_CALLS:
                failures.append(f"{status} {base64.b64encode(data).decode()}")
        answers[f"gRPC: {status}"] += 1
