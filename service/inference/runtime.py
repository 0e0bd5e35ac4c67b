"""Imports ONNX Runtime with its telemetry switched off. The service imports it from here only."""

import os

# Since 1.29, ONNX Runtime reports usage by default on Linux. It reads this variable when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
