"""MLServer: a runtime with a custom route for raw bodies, and inference in the same process."""

import asyncio

from fastapi import Request, Response
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.handlers import custom_handler

from bench.peers import classify


class Classify(MLModel):
    """The network as an MLServer runtime."""

    async def load(self) -> bool:
        """Loads the network."""
        self._network = classify.Network()
        return True

    @custom_handler(rest_path="/predict")
    async def classify(self, request: Request) -> Response:
        """Answers a raw body."""
        rows = self._network.run(classify.decode(await request.body()))
        return Response(classify.answer(rows), media_type=classify.media_type(rows))


async def serve() -> None:
    """Runs the server without its inference pool, which makes it slower here."""
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=classify.PORT,
        grpc_port=classify.PORT + 1,
        metrics_endpoint=None,
        gzip_enabled=False,
        parallel_workers=0,
        use_structured_logging=False,
    )
    model = ModelSettings(name="cifar10", implementation="bench.peers.mlserver.Classify")
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(serve())
