"""What decisions are worth, measured over HTTP on whole test sets: ``python -m bench.trust DATA``."""
