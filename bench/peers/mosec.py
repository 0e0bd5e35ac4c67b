"""mosec: a Rust front, Python workers behind a Unix socket."""

import sys

from mosec import Server, Worker

from bench.peers import classify


class Decode(Worker):
    """The first stage of the variant with two stages."""

    def deserialize(self, data: bytes) -> bytes:
        """Leaves the body as it is."""
        return data

    def forward(self, data: bytes) -> classify.Pixels:
        """Decodes one picture."""
        return classify.decode(data)


class Classify(Worker):
    """Decodes, runs and answers: one stage."""

    def __init__(self) -> None:
        super().__init__()
        self._network = classify.Network()

    def deserialize(self, data: bytes) -> classify.Pixels:
        """Decodes one body."""
        return classify.decode(data)

    def serialize(self, data: classify.Rows) -> bytes:
        """Answers one request."""
        return classify.answer(data)

    def forward(self, data: classify.Pixels) -> classify.Rows:
        """Runs one request."""
        return self._network.run(data)


class ClassifyBatch(Classify):
    """The same, with mosec's dynamic batching."""

    def forward(self, data: list[classify.Pixels]) -> list[classify.Rows]:  # type: ignore[override]
        """Runs a batch of requests."""
        return self._network.run_many(data)


class ClassifyDecoded(ClassifyBatch):
    """The second stage of the variant with two stages; its input comes pickled from the first."""

    deserialize = Worker.deserialize  # type: ignore[assignment]


if __name__ == "__main__":
    sys.argv[1:] = ["--port", str(classify.PORT), "--address", "127.0.0.1", "--log-level", "warning"]
    sys.argv += ["--max-request-size", str(16 << 20), "--capacity", "2048"]
    server = Server()
    if "stages" in classify.VARIANT:
        server.append_worker(Decode, num=classify.WORKERS, route="/predict")
        worker: type[Worker] = ClassifyDecoded
    else:
        worker = Classify if classify.BATCH == 1 else ClassifyBatch
    server.append_worker(
        worker, num=classify.WORKERS, max_batch_size=classify.BATCH, max_wait_time=classify.WAIT_MS, route="/predict"
    )
    server.run()
