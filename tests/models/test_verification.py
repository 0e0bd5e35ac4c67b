"""``convoy verify``: repeats the predictions of an answer, and finds what was changed in them."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from convoy import main
from tests.api.test_decisions import NPY, PNG, ask, one
from tests.process import ROOT


@pytest.mark.parametrize("way", ["query", "form", "json"])
def test_a_receipt_makes_the_answer_again(
    client: httpx.Client, cat: bytes, way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(client, way, cat, receipt=True)
    receipt = one(answer)["receipt"]
    model = ROOT / "models" / receipt["model"] / receipt["version"] / "model.onnx"
    assert receipt["picture_sha256"] == hashlib.sha256(cat).hexdigest()
    assert receipt["model_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    (tmp_path / "answer.json").write_text(answer.text)
    (tmp_path / "cat.png").write_bytes(cat)
    words = ["verify", str(tmp_path / "answer.json"), str(tmp_path / "cat.png"), "--models-dir", str(ROOT / "models")]
    assert main(words) == 0
    assert "answer    same" in capsys.readouterr().out

    (tmp_path / "cat.png").write_bytes(cat + b" ")
    assert main(words) == 1
    assert "picture   differs" in capsys.readouterr().out
    (tmp_path / "cat.png").write_bytes(cat)
    for change, said in (
        ({"probabilities": [0.1] * 10}, "answer    differs"),
        ({"model_sha256": "0" * 64}, "model     differs"),
        ({"temperature": 2.0}, "another temperature"),
        ({"fit": {}}, "another rule of fit"),
    ):
        (tmp_path / "answer.json").write_text(json.dumps(receipt | change))
        assert main(words) == 1
        assert said in capsys.readouterr().out
    for text in ("{}", "[", '{"receipt_version":1}', json.dumps(receipt | {"probabilities": [None]})):
        (tmp_path / "answer.json").write_text(text)
        assert main(words) in (1, 2)


def test_an_answer_that_contradicts_its_receipt_is_not_verified(
    client: httpx.Client, cat: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = {"receipt": "true", "min_confidence": 1.0, "top_k": 2}
    answer = client.post("/predict", params=query, content=cat, headers=PNG).json()
    [prediction] = answer["predictions"]
    (tmp_path / "cat.png").write_bytes(cat)
    words = ["verify", str(tmp_path / "answer.json"), str(tmp_path / "cat.png"), "--models-dir", str(ROOT / "models")]
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    assert (prediction["label"], main(words)) == (None, 0)  # a null label says nothing
    capsys.readouterr()
    probabilities = prediction["probabilities"] | {"dog": 0.9}
    top = prediction["top"][::-1]
    changes = {"label": "dog", "index": 5, "probability": 0.5, "probabilities": probabilities, "top": top, "labels": []}
    for member, value in changes.items():
        (tmp_path / "answer.json").write_text(json.dumps(answer | {"predictions": [prediction | {member: value}]}))
        assert main(words) == 1
        assert f"answer    differs: its receipt does not have this {member};" in capsys.readouterr().out
    (tmp_path / "answer.json").write_text(json.dumps(answer | {"version": "1"}))
    assert main(words) == 1


def test_a_receipt_of_pixels_makes_the_answer_again(client: httpx.Client, tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.random.default_rng(3).integers(0, 256, (3, 32, 32, 3), np.uint8))
    answer = client.post("/predict?receipt=true", content=stream.getvalue(), headers={"Content-Type": NPY})
    (tmp_path / "pixels.npy").write_bytes(stream.getvalue())
    for prediction in answer.json()["predictions"]:
        (tmp_path / "receipt.json").write_text(json.dumps(prediction))
        words = [str(tmp_path / "receipt.json"), str(tmp_path / "pixels.npy"), "--models-dir", str(ROOT / "models")]
        assert main(["verify", *words]) == 0


@pytest.mark.parametrize(
    ("old", "new"), [(b"(1, 4, 4, 1)", b"(1, 4, (4, 1)"), (b"'shape'", b"b'hape'")], ids=["brackets", "a key"]
)
def test_pixels_with_a_damaged_header_have_no_receipt(old: bytes, new: bytes, tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros((1, 4, 4, 1), np.uint8))
    (tmp_path / "pixels.npy").write_bytes(stream.getvalue().replace(old, new))
    (tmp_path / "receipt.json").write_text('{"receipt_version": 1}')
    assert main(["verify", str(tmp_path / "receipt.json"), str(tmp_path / "pixels.npy")]) == 1


def test_a_digit_that_was_prepared_is_prepared_again(client: httpx.Client, tmp_path: Path) -> None:
    page = Image.new("L", (200, 300), 255)
    page.paste(0, (80, 90, 100, 200))
    page.save(tmp_path / "page.png")
    query = {"model": "mnist", "prepare": "digit", "receipt": "true"}
    data = (tmp_path / "page.png").read_bytes()
    (tmp_path / "answer.json").write_text(client.post("/predict", params=query, content=data, headers=PNG).text)
    words = [str(tmp_path / "answer.json"), str(tmp_path / "page.png"), "--models-dir", str(ROOT / "models")]
    assert main(["verify", *words]) == 0


@pytest.fixture
def of_pixels(client: httpx.Client, tmp_path: Path) -> dict[str, Any]:
    """An answer of three images, which ``pixels.npy`` has."""
    np.save(tmp_path / "pixels.npy", np.random.default_rng(3).integers(0, 256, (3, 32, 32, 3), np.uint8))
    data = (tmp_path / "pixels.npy").read_bytes()
    answer = client.post("/predict?receipt=true", content=data, headers={"Content-Type": NPY}).json()
    assert isinstance(answer, dict)
    return answer


def verify(folder: Path, answer: dict[str, Any], file: str) -> int:
    """The exit status of ``convoy verify`` for an answer and a file in a folder."""
    (folder / "answer.json").write_text(json.dumps(answer))
    return main(["verify", str(folder / "answer.json"), str(folder / file), "--models-dir", str(ROOT / "models")])


def test_every_image_of_an_array_is_compared(
    of_pixels: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(tmp_path, of_pixels, "pixels.npy") == 0
    assert "in 3 of 3 predictions" in capsys.readouterr().out
    of_pixels["predictions"][2]["index"] = 11
    assert verify(tmp_path, of_pixels, "pixels.npy") == 1
    assert "\n2 of 3 predictions are the same\n" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["swapped", "of another image", "without a receipt"])
def test_each_prediction_of_an_array_belongs_to_the_image_in_its_place(
    of_pixels: dict[str, Any], tmp_path: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = of_pixels["predictions"]
    match change:
        case "swapped":
            predictions[1:] = predictions[:0:-1]
        case "of another image":
            predictions[2]["receipt"]["pixels_sha256"] = "0" * 64
        case _:
            del predictions[2]["receipt"]
    assert verify(tmp_path, of_pixels, "pixels.npy") == 1
    missing = 2 if change == "swapped" else 1
    assert f"picture   differs: {missing} of 3 predictions have no receipt of the image" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["removed", "swapped and added", "replaced and added"])
def test_an_array_has_as_many_predictions_as_images(
    of_pixels: dict[str, Any], tmp_path: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = of_pixels["predictions"]
    match change:
        case "removed":
            predictions[:] = predictions[1::-1]
        case "swapped and added":
            predictions[:2] = predictions[1::-1]
            predictions.append(predictions[2])
        case _:
            predictions[1] = {"label": "dog", "index": 5}
            predictions.append({})
    assert verify(tmp_path, of_pixels, "pixels.npy") == 1
    assert f"pixels.npy: 3; predictions in the answer: {len(predictions)}\n" in capsys.readouterr().out


def test_every_prediction_of_a_picture_that_was_sent_twice_is_compared(
    client: httpx.Client, cat: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cat.png").write_bytes(cat)
    files = [("file", (name, cat)) for name in ("a.png", "b.png")]
    answer = client.post("/predict?receipt=true", files=files).json()
    answer["predictions"][1]["label"] = "dog"
    assert verify(tmp_path, answer, "cat.png") == 1
    assert "prediction 2\nanswer    differs" in capsys.readouterr().out
