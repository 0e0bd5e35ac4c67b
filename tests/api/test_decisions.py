"""``min_confidence`` and ``receipt`` of ``/predict``: only on request, and the same in query, form and JSON."""

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from PIL import Image

from service.errors import ModelRefusedError
from tests.explaining.networks import coloured, network
from tests.fixtures.odd_models import open_session
from tests.fixtures.tiny_models import put, tiny_model
from tests.fixtures.wide_models import channels_model
from tests.process import ServerProcess
from training.data.dataset import LabelledImages
from training.decisions import decide
from training.familiar_features import with_familiarity
from training.onnx_classifier import OnnxClassifier
from training.onnx_file import with_metadata

PNG = {"Content-Type": "image/png"}
NPY = "application/x-npy"


def one(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    [prediction] = answer.json()["predictions"]
    prediction.pop("file", None)
    return prediction


def ask(client: httpx.Client, way: str, data: bytes, **values: Any) -> httpx.Response:
    match way:
        case "query":
            return client.post("/predict", params=values, content=data, headers=PNG)
        case "form":
            fields = {name: json.dumps(value).strip('"') for name, value in values.items()}
            return client.post("/predict", data=fields, files={"file": data})
        case _:
            return client.post("/predict", json={"images": [base64.b64encode(data).decode()], **values})


@pytest.mark.parametrize("way", ["query", "form", "json"])
class TestMinConfidence:
    def test_the_reason_has_all_digits(self, client: httpx.Client, cat: bytes, way: str) -> None:
        probability = one(client.post("/predict", content=cat, headers=PNG))["probability"]
        least = float(np.nextafter(np.float32(probability), np.float32(1)))
        reason = one(ask(client, way, cat, min_confidence=least))["reason"]
        assert reason == f"the most probable label has {probability}, less than min_confidence {least}"

    def test_an_unsure_prediction_has_no_label_and_says_why(self, client: httpx.Client, cat: bytes, way: str) -> None:
        usual = one(client.post("/predict", content=cat, headers=PNG))
        unsure = one(ask(client, way, cat, min_confidence=1))
        assert unsure["label"] is None
        assert unsure["index"] is None
        assert unsure["reason"].endswith("less than min_confidence 1")
        assert unsure["probability"] == usual["probability"]
        assert unsure["probabilities"] == usual["probabilities"]

    def test_a_sure_one_is_the_usual_one(self, client: httpx.Client, cat: bytes, way: str) -> None:
        usual = one(client.post("/predict", content=cat, headers=PNG))
        assert one(ask(client, way, cat, min_confidence=0.1)) == usual
        # The comparison uses the rounded number of the answer, which the client sees.
        assert one(ask(client, way, cat, min_confidence=usual["probability"])) == usual

    @pytest.mark.parametrize("value", [-0.1, 1.5, "much", "nan", "inf", "1e999", ".", "0x1", " 1"])
    def test_what_is_no_share_is_400(self, client: httpx.Client, cat: bytes, way: str, value: Any) -> None:
        answer = ask(client, way, cat, min_confidence=value)
        assert answer.status_code == 400
        assert "it must be a number from 0 to 1" in answer.json()["detail"]


def test_abstaining_keeps_its_place_beside_bad_pictures(client: httpx.Client, cat: bytes) -> None:
    files = [("file", ("a.txt", b"hello")), ("file", ("b.png", cat)), ("file", ("c.png", cat))]
    answer = client.post("/predict?on_error=report&min_confidence=1&receipt=true", files=files)
    bad, *good = answer.json()["predictions"]
    assert "error" in bad
    assert [prediction["label"] for prediction in good] == [None, None]
    assert [prediction["receipt"]["picture_sha256"] for prediction in good] == [hashlib.sha256(cat).hexdigest()] * 2


@pytest.mark.parametrize("query", ["min_confidence=0.5", "receipt=true"])
def test_an_array_has_no_place_for_decisions(client: httpx.Client, cat: bytes, query: str) -> None:
    answer = client.post(f"/predict?{query}", content=cat, headers={**PNG, "Accept": NPY})
    assert answer.status_code == 400
    assert "need an answer in JSON" in answer.json()["detail"]
    assert client.post(f"/preprocess?{query}", content=cat, headers=PNG).status_code == 400


def test_a_receipt_that_is_neither_true_nor_false_is_400(client: httpx.Client, cat: bytes) -> None:
    for value in ("1", "TRUE", ""):
        answer = client.post("/predict", params={"receipt": value}, content=cat, headers=PNG)
        assert answer.status_code == 400
        assert "it must be true or false" in answer.json()["detail"]
    assert "receipt" not in one(ask(client, "json", cat, receipt=False))


@pytest.mark.parametrize("value", [True, False])
def test_true_and_false_may_be_written_as_python_writes_them(client: httpx.Client, cat: bytes, value: bool) -> None:
    answer = client.post(f"/predict?receipt={value}", content=cat, headers=PNG)
    assert ("receipt" in one(answer)) is value


def test_a_model_of_several_labels_has_no_decisions_for_one_label(tmp_path: Path, cat: bytes) -> None:
    put(tmp_path / "models", "several", "1", channels_model("several"))
    with ServerProcess(tmp_path / "log", "--models-dir", str(tmp_path / "models")) as server:
        for query in ("min_confidence=0", "coverage=0.9", "familiarity=true"):
            answer = httpx.post(f"{server.url}/predict?{query}", content=cat, headers=PNG)
            assert answer.status_code == 400
            name = query.partition("=")[0]
            said = f"{name} is for models that give a picture one label; several may give it several labels"
            assert answer.json()["detail"].startswith(said)
        assert httpx.post(f"{server.url}/predict?familiarity=false", content=cat, headers=PNG).status_code == 200


@pytest.mark.parametrize("model", ["cifar10", "mnist"])
def test_neighbours_and_the_size_of_a_batch_change_nothing(
    client: httpx.Client, samples: dict[str, list[Path]], model: str
) -> None:
    data = [path.read_bytes() for path in samples[model]]
    alone = [one(client.post(f"/predict?model={model}", content=one_, headers=PNG)) for one_ in data]
    expected = np.array([list(prediction["probabilities"].values()) for prediction in alone])
    for count in (2, 3, 7, 17, 20, 40, 100):
        places = [place % len(data) for place in range(count)]
        files = [("file", data[place]) for place in places]
        together = client.post(f"/predict?model={model}", files=files).json()["predictions"]
        found = np.array([list(prediction["probabilities"].values()) for prediction in together])
        assert np.abs(found - expected[places]).max() < 1e-6


class TestSets:
    @pytest.mark.parametrize("way", ["query", "form", "json"])
    def test_higher_levels_have_larger_sets(self, client: httpx.Client, cat: bytes, way: str) -> None:
        sets = [one(ask(client, way, cat, coverage=level))["label_set"] for level in (0.9, 0.98, 0.99)]
        assert sets[0][0] == one(client.post("/predict", content=cat, headers=PNG))["label"]
        assert set(sets[0]) <= set(sets[1]) <= set(sets[2])

    def test_a_sure_model_answers_one_label(self, client: httpx.Client, samples: dict[str, list[Path]]) -> None:
        files = [("file", path.read_bytes()) for path in samples["mnist"]]
        answer = client.post("/predict?model=mnist&coverage=0.90", files=files).json()
        assert all(prediction["label_set"] == [prediction["label"]] for prediction in answer["predictions"])

    @pytest.mark.parametrize("level", [0, 0.5, 0.901, 1])
    def test_other_levels_are_400_and_name_those_that_can_be(
        self, client: httpx.Client, cat: bytes, level: float
    ) -> None:
        answer = ask(client, "query", cat, coverage=level)
        assert answer.status_code == 400
        assert "it can be 0.9, 0.95, 0.98, 0.99" in answer.json()["detail"]
        assert client.get("/models/cifar10").json()["versions"][0]["coverages"] == [0.9, 0.95, 0.98, 0.99]


def test_familiarity_and_its_warning(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    digit = Image.open(samples["mnist"][0]).convert("L")
    letters = Image.effect_noise((28, 28), 90)
    found = {}
    for name, picture in {"digit": digit, "odd": letters}.items():
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        query = "/models/mnist/versions/1/predict?familiarity=true"
        found[name] = one(client.post(query, content=stream.getvalue(), headers=PNG))
    assert found["digit"]["familiarity"] > 0.05
    assert "unfamiliar" not in [warning["code"] for warning in found["digit"].get("warnings", [])]
    assert found["odd"]["familiarity"] < 0.05
    assert "unfamiliar" in [warning["code"] for warning in found["odd"]["warnings"]]


def test_familiarity_of_a_graph_that_scores_its_features(tmp_path: Path) -> None:
    plain = onnx.load_from_string(network("pooled", seed=3, name="colours"))
    held_out = LabelledImages(*coloured(150, 2))
    graph = with_familiarity(
        plain, OnnxClassifier(plain.SerializeToString()), LabelledImages(*coloured(300, 1)), held_out
    )
    model = OnnxClassifier(graph.SerializeToString())
    said = decide(model, model.metadata, held_out)
    assert said.familiarity is not None
    put(tmp_path / "models", "colours", "1", with_metadata(graph, said))
    pixels = coloured(40, 3)[0]
    probabilities, scores = model.answers(pixels)
    assert scores is not None
    expected = np.interp(scores, said.familiarity.quantiles, np.linspace(0, 1, 101))
    stream = io.BytesIO()
    np.save(stream, pixels)
    with (
        ServerProcess(tmp_path / "log", "--models-dir", str(tmp_path / "models")) as server,
        httpx.Client(base_url=server.url, headers={"Content-Type": NPY}) as client,
    ):
        assert client.get("/models/colours").json()["versions"][0]["familiarity"] == "features"
        answer = client.post("/predict?familiarity=true&coverage=0.9", content=stream.getvalue()).json()
        found = [prediction["familiarity"] for prediction in answer["predictions"]]
        assert found == pytest.approx(expected.tolist(), abs=1e-3)
        # Requests without it have no additional column.
        array = client.post("/predict", content=stream.getvalue(), headers={"Accept": NPY}).content
        assert np.load(io.BytesIO(array)) == pytest.approx(probabilities, abs=1e-6)
        png = io.BytesIO()
        Image.fromarray(pixels[0]).save(png, "PNG")
        explained = client.post(
            "/explain", content=png.getvalue(), headers={**PNG, "Accept": "application/json"}
        ).json()
        assert explained["method"] == "hirescam"
        for text in (client.get("/metrics").text, client.get("/v2/models/colours").text):
            assert "familiarity" not in text


def test_a_file_whose_graph_lacks_the_output_that_it_names_is_refused() -> None:
    model = onnx.load_from_string(network("pooled", name="colours"))
    familiarity = {"images": 100, "score": "features", "quantiles": [0.0] * 101}
    onnx.helper.set_model_props(
        model,
        {prop.key: prop.value for prop in model.metadata_props} | {"convoy.familiarity": json.dumps(familiarity)},
    )
    with pytest.raises(ModelRefusedError, match="2 outputs, not 1 and 3"):
        open_session(model.SerializeToString())


def test_a_model_without_thresholds_says_so(tmp_path: Path, cat: bytes) -> None:
    put(tmp_path / "models", "tiny", "1", tiny_model())
    with ServerProcess(tmp_path / "log", "--models-dir", str(tmp_path / "models")) as server:
        for query in ("coverage=0.9", "familiarity=true"):
            answer = httpx.post(f"{server.url}/predict?{query}", content=cat, headers=PNG)
            assert answer.status_code == 400
            assert "convoy calibrate" in answer.json()["detail"]
        assert httpx.get(f"{server.url}/models/tiny").json()["versions"][0]["coverages"] == []
