"""BentoML: a service class with BentoML's API for a picture, and a mounted ASGI app for raw bodies."""

import sys

import bentoml
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.peers import classify

network = classify.Network()


async def raw(request: Request) -> Response:
    """Answers a raw body."""
    rows = network.run(classify.decode(await request.body()))
    return Response(classify.answer(rows), media_type=classify.media_type(rows))


mounted = Starlette(routes=[Route("/predict", raw, methods=["POST"])])


@bentoml.service(
    name="cifar10",
    workers=classify.WORKERS,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    traffic={"timeout": 30},
)
@bentoml.asgi_app(mounted, path="/raw")
class Cifar10:
    """The network as a BentoML service."""

    @bentoml.api(route="/predict")
    def predict(self, picture: Image.Image, /) -> dict[str, object]:
        """Answers one picture, which BentoML has decoded."""
        return classify.document(network.run(classify.fit(picture)))


if __name__ == "__main__":
    from bentoml_cli.cli import cli

    address = ["--host", "127.0.0.1", "--port", str(classify.PORT)]
    sys.argv = ["bentoml", "serve", "bench.peers.bentoml:Cifar10", *address, "--quiet"]
    cli()
