"""A model of one node, y = max(x, 0) for one float, with which an execution provider is tested."""

from typing import Final

# onnx.ModelProto, IR version 8, opset 18, one Relu node. A test builds it with the onnx package and compares.
PROBE_MODEL: Final = (
    b'\x08\x08:3\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x12"
)
