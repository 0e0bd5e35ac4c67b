"""Measures the service with growing load, connections, models and cores: ``python -m bench.growth``."""
