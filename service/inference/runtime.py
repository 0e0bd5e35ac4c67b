"""ONNX Runtime, imported as the service wants it: with its telemetry off."""

import os

# From 1.29 on, ONNX Runtime reports usage by default on Linux; it reads this when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
