"""Ray Serve: one deployment behind Ray's HTTP proxy."""

import signal

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from bench.peers import classify


@serve.deployment(num_replicas=classify.WORKERS, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.1})
class Classify:
    """The network as a deployment."""

    def __init__(self) -> None:
        self._network = classify.Network()

    @serve.batch(max_batch_size=classify.BATCH, batch_wait_timeout_s=classify.WAIT_MS / 1e3)
    async def run(self, arrays: list[classify.Pixels]) -> list[classify.Rows]:
        """Runs a batch."""
        return self._network.run_many(arrays)

    async def __call__(self, request: Request) -> Response:
        """Answers a raw body."""
        pixels = classify.decode(await request.body())
        rows = self._network.run(pixels) if classify.BATCH == 1 else await self.run(pixels)
        return Response(classify.answer(rows), media_type=classify.media_type(rows))


if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=2, log_to_driver=False, _metrics_export_port=None)
    serve.start(http_options={"host": "127.0.0.1", "port": classify.PORT, "access_log": False})
    serve.run(Classify.bind(), route_prefix="/predict")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()
