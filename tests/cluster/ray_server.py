"""``python -m service`` on Ray Serve: takes its flags, prints its address, ends with SIGTERM. Run in ``.venv-ray``.

``CONVOY_TEST_COMMAND=".venv-ray/bin/python -m tests.cluster.ray_server"`` makes the tests in ``tests/api`` use it.
``RAY_SERVE_ENABLE_HA_PROXY=0`` selects Ray's own proxy. Several may run at once, so ports and folders are not Ray's
default ones.
"""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence

from service.errors import ConvoyError
from service.settings_reader import read_settings


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _surroundings(folder: str) -> tuple[int, dict[str, str]]:
    """(a port for HTTP, the environment variables that Ray reads when it is imported)."""
    port, statistics, metrics, replica, fallback, fallback_grpc = map(str, _free_ports(6))
    return int(port), {
        "RAY_SERVE_ENABLE_HA_PROXY": os.environ.get("RAY_SERVE_ENABLE_HA_PROXY", "1"),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": os.environ.get("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1"),
        "RAY_SERVE_EXPERIMENTAL_PIP_HAPROXY": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/haproxy/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": f"{folder}/haproxy",
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/haproxy/server-state",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/haproxy/metrics.sock",
        "RAY_SERVE_HAPROXY_METRICS_PORT": metrics,
        "RAY_SERVE_HAPROXY_STATS_PORT": statistics,
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": replica,
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(int(replica) + 20),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": fallback,
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": fallback_grpc,
        "RAY_AUTH_MODE": "disabled",
        "RAY_BACKEND_LOG_LEVEL": "error",
        "RAY_LOG_TO_STDERR": "1",  # not to files, since the tests read the log of the service
        "RAY_USAGE_STATS_ENABLED": "0",
        "ORT_DISABLE_TELEMETRY": "1",
    }


def main(arguments: Sequence[str]) -> int:
    """Serves until told to stop."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        free_port, variables = _surroundings(folder)
        os.environ |= variables
        told = os.fdopen(os.dup(1), "w")  # standard output gets the address, and no output of Ray's processes
        os.dup2(2, 1)
        import ray  # noqa: PLC0415  it reads the variables
        from ray import serve  # noqa: PLC0415

        from deploy.ray.service import deployment  # noqa: PLC0415

        try:
            settings = read_settings(arguments)
        except ConvoyError as error:
            print(error, file=sys.stderr)
            return 2
        port = settings.port or free_port
        ray.init(
            "local",
            num_cpus=4,
            include_dashboard=False,
            object_store_memory=100_000_000,
            log_to_driver=False,
            _temp_dir=folder,
        )
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        try:
            serve.run(deployment(settings), name="convoy", route_prefix="/")
            print(f"Convoy serves at http://127.0.0.1:{port}", file=told, flush=True)
            signal.sigwait({signal.SIGTERM, signal.SIGINT})
        finally:
            ray.shutdown()  # not serve.shutdown(), which drains for half a minute
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
