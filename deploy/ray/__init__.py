"""Convoy on a Ray cluster: scoring with Ray Data (``score``), serving with Ray Serve (``service`` and its configs)."""
