"""HTTP and nothing else: routes, bodies, answers, and the one table from errors to statuses."""
