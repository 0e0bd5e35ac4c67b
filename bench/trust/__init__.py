"""Measures the quality of decisions over HTTP on whole test sets: ``python -m bench.trust DATA``."""
