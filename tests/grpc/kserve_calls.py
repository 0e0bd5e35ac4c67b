"""Makes every call that KServe's client has, and prints the answers as JSON.

It is a separate process, since the protobuf messages of KServe's and of Triton's client conflict in one process.

Usage: python kserve_calls.py HTTP_URL GRPC_ADDRESS MODEL PICTURE...
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferOutput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput


def _request(model: str, files: list[bytes], *, raw: bool, classes: int = 0) -> InferRequest:
    tensor = InferInput("encoded", [len(files)], "BYTES")
    tensor.set_data_from_numpy(np.array(files, object), binary_data=raw)
    if not classes:
        return InferRequest(model_name=model, request_id="42", infer_inputs=[tensor])
    wanted = RequestedOutput("probabilities", parameters={"classification": classes})
    return InferRequest(model_name=model, request_id="42", infer_inputs=[tensor], request_outputs=[wanted])


def _rows(output: InferOutput) -> Any:
    return output.as_numpy().tolist()


async def _calls(url: str, address: str, model: str, files: list[bytes]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as rest:
        said["rest live"] = await rest.is_server_live(url)
        said["rest ready"] = await rest.is_server_ready(url)
        said["rest model ready"] = await rest.is_model_ready(url, model)
        answer = await rest.infer(url, _request(model, files, raw=True), model_name=model)
        said["rest"] = {"id": answer.id, "version": answer.model_version, "rows": _rows(answer.outputs[0])}
        answer = await rest.infer(url, _request(model, files, raw=True, classes=1), model_name=model)
        said["rest classes"] = _rows(answer.outputs[0])
    async with InferenceGRPCClient(address) as grpc:
        said["grpc live"] = await grpc.is_server_live()
        said["grpc ready"] = await grpc.is_server_ready()
        said["grpc model ready"] = await grpc.is_model_ready(model)
        said["grpc no model ready"] = await grpc.is_model_ready("dog")
        answer = await grpc.infer(_request(model, files, raw=True))
        said["grpc"] = {"id": answer.id, "version": answer.model_version, "rows": _rows(answer.outputs[0])}
    return said


def main() -> None:
    """Makes the calls and prints the answers."""
    url, address, model, *pictures = sys.argv[1:]
    files = [Path(picture).read_bytes() for picture in pictures]
    print(json.dumps(asyncio.run(_calls(url, address, model, files))))


if __name__ == "__main__":
    main()
