"""Load, restarts and faults on a real service, counted exactly."""
