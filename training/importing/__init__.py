"""Other people's classifiers become the same ONNX contract: ``convoy import``.

::

    sources (keras, saved_model, onnx; sidecars beside them) -> stated -> expected -> served_onnx -> proof -> published

The rule: read what can be read, ask for what cannot, prove that the answers are the same, never guess silently. ONNX
sources need no TensorFlow; reading a foreign file runs nothing of it.
"""
