"""The served models: the catalog, loading, watching the repository, and ``convoy doctor``."""
