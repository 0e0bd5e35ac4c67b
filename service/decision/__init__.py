"""Computes the data for decisions from probabilities. Independent of HTTP and gRPC."""

from service.decision.ranking import likely, most_probable, rank

__all__ = ["likely", "most_probable", "rank"]
