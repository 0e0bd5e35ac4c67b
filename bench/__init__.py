"""Reproducible measurements of the service, alone and beside its peers.

::

    workloads ─┐
    servers  ──┼─> rounds: start, check the answers, load with wrk, stop ─> results ─> report, charts
    peers    ──┘

``python -m bench --help`` lists all; ``make bench``, ``make bench-peers`` and ``make profile`` are the usual
ones. Reports are written to ``bench/reports/``. Servers are compared within one round, on the same cores.
"""
