"""The server of Convoy: image bytes in, labels with probabilities out, over HTTP.

One request, and the module that does each step::

    HTTP ─ api/ ─> classifier ─┬─> decoding/   bytes -> uint8 [N, H, W, C], every limit checked first
                               ├─> batching/   all requests that wait when the session is free form its next batch
                               └─> inference/  ONNX Runtime: uint8 [N, H, W, C] -> probabilities [N, K]

Imports run left to right and never back, and the three packages on the right do not know each other.
"""

__version__ = "0.1.0"
