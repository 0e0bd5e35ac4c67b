"""The dialects of other servers and hosts, for clients that people have. The setting ``dialects`` turns them on.

::

    request ─> DialectEndpoint: body ─> reader of the dialect ─> Question(pictures, writer) ─┐
      ┌──────────────────────────────────────────────────────────────────────────────────────┘
      └─> Classifier, as for /predict: same batcher, limits and keys ─> writer of the dialect ─> answer

A file for each dialect, which only translates. They are ordinary routes of the app, so that no other route is slower.
"""
