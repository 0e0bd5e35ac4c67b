"""The Open Inference Protocol v2 over gRPC, on a port of its own. Imported only where that port is set.

::

    server ─> call_guard (keys, bounds, errors to gRPC's statuses) ─┬─> servicer ─> open_inference
                                                                    └─> health (grpc.health.v1)
"""

import os

# gRPC's core writes lines of its own to standard error, in no format of ours. It reads this variable when it is
# imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
