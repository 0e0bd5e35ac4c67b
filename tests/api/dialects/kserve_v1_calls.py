"""Makes every call that KServe's client has for its protocol V1, and prints the answers as JSON.

It is a separate process, since the protobuf messages of KServe's and of Triton's client conflict in one process.

Usage: python kserve_v1_calls.py HTTP_URL PICTURE
"""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import httpx
from kserve import InferenceRESTClient, RESTConfig


async def main(url: str, picture: bytes) -> dict[str, Any]:
    file = {"b64": base64.b64encode(picture).decode()}
    async with InferenceRESTClient(RESTConfig(protocol="v1")) as kserve:

        async def refusal(call: Any) -> str:
            try:
                await call
            except httpx.HTTPStatusError as error:
                return str(error)
            return "not refused"

        return {
            "predicted": await kserve.infer(url, {"instances": [{"image": file}]}, model_name="cifar10"),
            "live": await kserve.is_server_live(url),
            "ready": await kserve.is_model_ready(url, "mnist"),
            "no model": await refusal(kserve.is_model_ready(url, "dog")),
            "an address": await refusal(kserve.infer(url, {"instances": ["http://a/b.png"]}, model_name="cifar10")),
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes()))))
