"""LitServe: FastAPI in front, inference workers behind a queue."""

from typing import Annotated

import litserve
from fastapi import Body, Response

from bench.peers import classify


class Classify(litserve.LitAPI):
    """Decodes in the worker process, as LitServe does by default."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Loads the network."""
        self._network = classify.Network()

    def decode_request(self, request: Annotated[bytes, Body(media_type="application/octet-stream")]) -> classify.Pixels:
        """Decodes one raw body."""
        return classify.decode(request)

    def batch(self, inputs: list[classify.Pixels]) -> list[classify.Pixels]:
        """Leaves a batch as it is: requests may have several images."""
        return inputs

    def predict(self, x: classify.Pixels | list[classify.Pixels]) -> classify.Rows | list[classify.Rows]:
        """Runs one request, or a batch of them."""
        return self._network.run_many(x) if isinstance(x, list) else self._network.run(x)

    def unbatch(self, output: list[classify.Rows]) -> list[classify.Rows]:
        """Leaves the answers of a batch as they are."""
        return output

    def encode_response(self, output: classify.Rows) -> Response:
        """Answers one request."""
        return Response(classify.answer(output), media_type=classify.media_type(output))


if __name__ == "__main__":
    api = Classify(max_batch_size=classify.BATCH, batch_timeout=classify.WAIT_MS / 1e3)
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=classify.WORKERS, fast_queue="zmq" in classify.VARIANT
    )
    server.run(
        host="127.0.0.1",
        port=classify.PORT,
        num_api_servers=classify.WORKERS,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
