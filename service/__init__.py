"""Convoy's online half: image bytes in, labels with probabilities out, over HTTP.

One request, and the module that does each step::

    HTTP ─ api/ ─> classifier ─┬─> decoding/   bytes -> uint8 [N, H, W, C], every limit checked first
                               ├─> batching/   whoever waits when the session is free shares its next run
                               └─> inference/  ONNX Runtime: uint8 [N, H, W, C] -> probabilities [N, K]

Imports run left to right and never back, and the three packages on the right do not know each other.
"""

__version__ = "0.1.0"
