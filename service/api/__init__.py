"""The HTTP API: routes, bodies, answers, and the one table from errors to statuses."""
