"""Classifies pictures with the client that was generated in the current folder, and prints the labels.

Usage: python generated_client_calls.py URL PICTURE...
"""

import sys
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from convoy_client import Client
from convoy_client.api.predict import predict
from convoy_client.models.predict_files_body import PredictFilesBody
from convoy_client.models.prediction_answer import PredictionAnswer
from convoy_client.types import File


def main() -> None:
    """Sends the first picture alone, then all of them in one form."""
    url, *paths = sys.argv[1:]
    files = [File(BytesIO(Path(path).read_bytes()), Path(path).name) for path in paths]
    with Client(url) as client:
        for body in (File(BytesIO(Path(paths[0]).read_bytes())), PredictFilesBody(files)):
            answer = predict.sync(client=client, body=body)
            if not isinstance(answer, PredictionAnswer):
                sys.exit(f"no prediction: {answer}")
            print(*(prediction.label for prediction in answer.predictions))


if __name__ == "__main__":
    main()
