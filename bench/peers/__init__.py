"""What a user would pick instead: the same work behind other servers, each in an environment of its own.

:mod:`bench.peers.catalog` lists them with their settings. Every other module is one peer's app, started with
``python -m bench.peers.<name>`` in that peer's environment; what they all do is in :mod:`bench.peers.classify`.
"""
