"""The Open Inference Protocol v2 over gRPC, on its own port. Imported only where that port is set.

::

    server ─> call_guard (keys, limits, errors to gRPC's statuses) ─┬─> servicer ─> open_inference
                                                                    └─> health (grpc.health.v1)
"""

import os

# Turns off lines that gRPC's core writes to standard error, not in the log's format. It reads the variable on import.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
