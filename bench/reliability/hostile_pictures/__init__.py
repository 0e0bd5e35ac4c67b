"""Picture files that ask for as much work as their format lets them, made when they are needed; and honest ones beside.

Used by the tests, which want them refused, and by ``bench.reliability.slowest_pictures``, which wants to know what the
slowest one that is not refused costs.
"""
