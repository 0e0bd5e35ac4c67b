"""How the service grows: with load, with models and with connections. ``python -m bench.growth``."""
