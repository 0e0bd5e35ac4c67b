"""FastAPI in two ways: as in most tutorials, with an UploadFile and one run per image; and with a fast raw body."""

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response, UploadFile

from bench.peers import classify

app = FastAPI()
network = classify.Network()


@app.post("/upload")
async def upload(file: UploadFile) -> dict[str, object]:
    """Answers one picture in multipart/form-data."""
    return classify.document(network.run(classify.decode(await file.read())))


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Answers a raw body with JSON that is made without FastAPI's models."""
    rows = network.run(classify.decode(await request.body()))
    return Response(classify.answer(rows), media_type=classify.media_type(rows))


if __name__ == "__main__":
    network.run(np.zeros((1, 32, 32, 3), np.uint8))
    uvicorn.run(
        "bench.peers.fastapi_route:app",
        host="127.0.0.1",
        port=classify.PORT,
        workers=classify.WORKERS,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
