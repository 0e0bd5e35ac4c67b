"""The Open Inference Protocol v2 over gRPC, on a port of its own. Imported only where that port is set.

::

    server ─> statuses (errors to gRPC's statuses) ─> servicer ─> open_inference
"""
