"""Sends to each host of a cluster the same requests as to one machine, also with Triton's client. Run on the hub."""

import json
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tritonclient.http as triton
from PIL import Image

PATHS = ("/health/ready", "/docs", "/metrics", "/v2", "/openapi.json", "/models")


def main(arguments: Sequence[str]) -> None:
    """Prints what each host says of one picture, as JSON."""
    picture, *hosts = arguments
    data = Path(picture).read_bytes()
    pixels = np.asarray(Image.open(picture))[None]
    told = {}
    for host in hosts:
        statuses = {path: urllib.request.urlopen(f"http://{host}{path}").status for path in PATHS}
        request = urllib.request.Request(f"http://{host}/predict", data, {"Content-Type": "image/png"})
        [prediction] = json.load(urllib.request.urlopen(request))["predictions"]
        client = triton.InferenceServerClient(host)
        tensor = triton.InferInput("image", pixels.shape, "UINT8")
        tensor.set_data_from_numpy(pixels)
        probabilities = client.infer("cifar10", [tensor]).as_numpy("probabilities")
        client.close()
        told[host] = {
            "statuses": statuses,
            "predicted": list(prediction["probabilities"].values()),
            "inferred": probabilities[0].tolist(),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
