"""Reads the probabilities from a server's answer of any supported form, and checks them."""

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.workloads import Workload

Rows = NDArray[np.float32]


class WrongAnswerError(RuntimeError):
    """A server's answer is not the network's answer."""


def check(workload: Workload, index: int, status: int, headers: dict[str, str], body: bytes) -> None:
    """Compares one answer with the right one.

    Args:
        workload: the workload of the request.
        index: of the body that was sent.
        status: of the answer.
        headers: of the answer, names in lower case.
        body: of the answer.

    Raises:
        WrongAnswerError: the answer is wrong; the message says how.
    """
    if status != 200:
        raise WrongAnswerError(f"{workload.name}: status {status}: {body[:200]!r}")
    rows, expected = read_rows(headers, body), workload.expected[index]
    if rows.shape != expected.shape:
        raise WrongAnswerError(f"{workload.name}: {rows.shape} probabilities, not {expected.shape}")
    if (rows.argmax(axis=1) != expected.argmax(axis=1)).any():
        raise WrongAnswerError(f"{workload.name}: body {index} got another label than ONNX Runtime's own")
    if workload.tolerance is not None and np.abs(rows - expected).max() > workload.tolerance:
        raise WrongAnswerError(f"{workload.name}: body {index} is off by {np.abs(rows - expected).max():.4f}")


def read_rows(headers: dict[str, str], body: bytes) -> Rows:
    """The probabilities of an answer: npy, Open Inference (JSON or binary), or JSON of Convoy's shape.

    Args:
        headers: of the answer, names in lower case.
        body: the whole body.

    Returns:
        float32 [N, K].
    """
    if body.startswith(b"\x93NUMPY"):
        rows: Rows = np.load(io.BytesIO(body))
        return rows
    split = headers.get("inference-header-content-length")
    document: dict[str, Any] = json.loads(body[: int(split)] if split else body)
    if "outputs" in document:
        output = document["outputs"][0]
        data = np.frombuffer(body, np.float32, offset=int(split)) if split else np.array(output["data"], np.float32)
        return data.reshape(output["shape"])
    predictions = document.get("predictions", [document])
    return np.array([list(prediction["probabilities"].values()) for prediction in predictions], np.float32)
