"""Makes picture files that need as much decoding work as their format permits, and honest ones to compare them with.

The tests check that they are refused, and ``bench.reliability.slowest_pictures`` measures the cost of the slowest one
that is not refused.
"""
