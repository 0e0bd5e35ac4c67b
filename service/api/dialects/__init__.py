"""Dialects: the APIs of other servers and hosts, for existing clients. The setting ``dialects`` turns them on.

::

    request ─> DialectEndpoint: body ─> reader of the dialect ─> Question(pictures, writer) ─┐
      ┌──────────────────────────────────────────────────────────────────────────────────────┘
      └─> Classifier, as for /predict: same batcher, limits and keys ─> writer of the dialect ─> answer

Each dialect is one file, which only translates. Dialects are ordinary routes of the app, so no other route is slower.
"""
