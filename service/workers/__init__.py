"""Several worker processes on one port: the supervisor, the cores that they share, what they count together."""
