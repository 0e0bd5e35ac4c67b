"""Measures the service on a GPU, without a network, and writes a report. See ``python -m bench.gpu --help``."""
