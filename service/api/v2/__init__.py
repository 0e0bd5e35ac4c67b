"""The Open Inference Protocol v2 over REST, in JSON and with the binary tensor extension.

::

    POST .../infer  ─> InferEndpoint: framing.parse -> open_inference.prepare -> classifier -> framing.serialise
    everything else ─> routes, repository: documents of open_inference.description
"""
