"""Files for running the service on clusters, and for monitoring it."""
