"""From probabilities to what a person or a program decides by. Knows no HTTP and no gRPC."""

from service.decision.ranking import likely, most_probable, rank

__all__ = ["likely", "most_probable", "rank"]
