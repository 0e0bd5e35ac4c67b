"""The peers: other servers that do the same work, each in its own environment.

:mod:`bench.peers.catalog` lists them with their settings. :mod:`bench.peers.classify` is the work that all of them do.
Every other module is one peer's app, started with ``python -m bench.peers.<name>`` in that peer's environment.
"""
