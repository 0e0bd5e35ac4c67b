"""Measurements with load, restarts and faults on a real service; every request is counted."""
