"""Several worker processes on one port: the supervisor, the number of cores, and the shared metrics."""
