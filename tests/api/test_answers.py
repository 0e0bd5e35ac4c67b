"""Answers of ``POST /predict``: with many labels, with several labels per picture, with names, with bad pictures."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from bench.request_bytes import picture_bytes
from tests.fixtures.models import copy_models
from tests.fixtures.tiny_models import put
from tests.fixtures.wide_models import channels_model, wide_model
from tests.process import ServerProcess

PNG = {"Content-Type": "image/png"}
NPY = "application/x-npy"


def png(*color: int, size: tuple[int, int] = (1, 1)) -> bytes:
    return picture_bytes(Image.new("RGB", size, color or (0, 0, 0)), "PNG")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = copy_models(tmp_path_factory.mktemp("models"), "mnist")
    for labels in (100, 101, 1000):
        put(root, f"wide{labels}", "1", wide_model(f"wide{labels}", labels))
    put(root, "channels", "1", channels_model("channels"))
    log = tmp_path_factory.mktemp("answers") / "log"
    with ServerProcess(
        log, "--models-dir", str(root), "--default-model", "mnist", "--max-pixels", "1000000"
    ) as process:
        yield process.url


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client


def ask(http: httpx.Client, model: str, **parameters: Any) -> dict[str, Any]:
    answer = http.post("/predict", params={"model": model, **parameters}, content=png(9, 99, 200), headers=PNG)
    assert answer.status_code == 200, answer.text
    [prediction] = answer.json()["predictions"]
    found: dict[str, Any] = prediction
    return found


class TestProbabilities:
    def test_up_to_a_hundred_labels_all_are_listed(self, http: httpx.Client) -> None:
        prediction = ask(http, "wide100")
        assert list(prediction) == ["label", "index", "probability", "probabilities"]
        assert len(prediction["probabilities"]) == 100

    @pytest.mark.parametrize("labels", [101, 1000])
    def test_above_the_five_most_probable_are_listed(self, http: httpx.Client, labels: int) -> None:
        prediction = ask(http, f"wide{labels}")
        everything = ask(http, f"wide{labels}", probabilities="all")["probabilities"]
        assert list(prediction) == ["label", "index", "probability", "top"]
        ranked = sorted(everything.items(), key=lambda item: -item[1])[:5]
        assert [(entry["label"], entry["probability"]) for entry in prediction["top"]] == ranked
        assert len(everything) == labels

    @pytest.mark.parametrize("model", ["wide100", "wide101"])
    @pytest.mark.parametrize(
        ("parameters", "has_probabilities", "top"),
        [
            ({"probabilities": "all"}, True, None),
            ({"probabilities": "all", "top_k": 2}, True, 2),
            ({"probabilities": "top"}, False, 5),
            ({"probabilities": "top", "top_k": 2}, False, 2),
            ({"probabilities": "none"}, False, None),
            ({"probabilities": "none", "top_k": 2}, False, 2),
        ],
    )
    def test_what_is_asked_for_is_listed(
        self, http: httpx.Client, model: str, parameters: dict[str, Any], has_probabilities: bool, top: int | None
    ) -> None:
        prediction = ask(http, model, **parameters)
        assert ("probabilities" in prediction) is has_probabilities
        assert (len(prediction["top"]) if "top" in prediction else None) == top

    def test_a_number_alone_keeps_the_default(self, http: httpx.Client) -> None:
        assert {"probabilities", "top"} <= ask(http, "wide100", top_k=2).keys()
        assert list(ask(http, "wide101", top_k=2)) == ["label", "index", "probability", "top"]

    def test_forms_and_json_say_it_too(self, http: httpx.Client) -> None:
        form = http.post("/predict", files={"file": png()}, data={"probabilities": "none"})
        encoded = {"images": [base64.b64encode(png()).decode()], "probabilities": "none"}
        for answer in (form, http.post("/predict", json=encoded)):
            [prediction] = answer.json()["predictions"]
            assert "probabilities" not in prediction

    def test_two_values_are_refused_and_so_is_an_unknown_one(self, http: httpx.Client) -> None:
        files = {"file": png()}
        both = http.post("/predict?probabilities=all", files=files, data={"probabilities": "top"})
        assert (both.status_code, "name it once" in both.text) == (400, True)
        wrong = http.post("/predict?probabilities=some", files=files)
        assert wrong.status_code == 400
        assert "it must be all or top or none" in wrong.json()["detail"]
        number = http.post("/predict", json={"images": [""], "probabilities": 1})
        assert (number.status_code, "must be all or top or none" in number.text) == (400, True)

    def test_an_array_holds_every_probability(self, http: httpx.Client) -> None:
        answer = http.post("/predict?model=wide1000", content=png(), headers={**PNG, "Accept": NPY})
        assert np.load(io.BytesIO(answer.content)).shape == (1, 1000)


class TestSeveralLabels:
    @pytest.mark.parametrize(
        ("color", "labels"),
        [((255, 0, 180), ["red", "blue"]), ((140, 200, 250), ["blue", "green", "red"]), ((9, 90, 0), [])],
    )
    def test_each_probability_stands_for_itself(
        self, http: httpx.Client, color: tuple[int, int, int], labels: list[str]
    ) -> None:
        answer = http.post("/predict?model=channels", content=png(*color), headers=PNG)
        [prediction] = answer.json()["predictions"]
        expected = 1 / (1 + np.exp(-(np.array(color) / 10 - 12.75)))
        assert list(prediction["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-5)
        assert prediction["labels"] == labels
        best = labels[0] if labels else None
        assert prediction["label"] == best
        assert prediction["index"] == (["red", "green", "blue"].index(best) if best else None)
        assert prediction["probability"] == (prediction["probabilities"][best] if best else None)

    def test_models_of_one_label_a_picture_have_no_such_list(self, http: httpx.Client) -> None:
        assert "labels" not in ask(http, "wide100")


class TestFiles:
    def test_the_names_of_a_form_come_back(self, http: httpx.Client) -> None:
        files = [("file", ("cat.png", png())), ("file", ("", png())), ("file", ("käse.png", png()))]
        predictions = http.post("/predict", files=files).json()["predictions"]
        assert [prediction.get("file") for prediction in predictions] == ["cat.png", None, "käse.png"]

    def test_a_long_name_is_cut(self, http: httpx.Client) -> None:
        [prediction] = http.post("/predict", files={"file": ("n" * 500, png())}).json()["predictions"]
        assert prediction["file"] == "n" * 128


class TestReport:
    def test_bad_pictures_are_told_of_in_their_places(self, http: httpx.Client) -> None:
        good = [png(255, 0, 0), png(0, 255, 0)]
        cut = png(1, 2, 3, size=(300, 300))[:-40]
        files = [
            ("file", ("notes.txt", b"hello")),
            ("file", ("red.png", good[0])),
            ("file", ("large.png", png(size=(2000, 1000)))),
            ("file", ("cut.png", cut)),
            ("file", ("green.png", good[1])),
            ("file", ("empty.png", b"")),
        ]
        answer = http.post("/predict?model=channels&on_error=report", files=files)
        assert answer.status_code == 200, answer.text
        predictions = answer.json()["predictions"]
        assert [prediction["file"] for prediction in predictions] == [name for _, (name, _) in files]
        assert [prediction.get("error", {}).get("status") for prediction in predictions] == [
            *(422, None, 413, 422, None, 422)
        ]
        assert (predictions[1]["label"], predictions[4]["label"]) == ("red", "green")
        assert list(predictions[0]) == ["file", "error"]
        assert list(predictions[0]["error"]) == ["type", "title", "status", "detail"]
        assert "it has 2000 x 1000 pixels; at most 1000000" in predictions[2]["error"]["detail"]
        refused = http.post("/predict?model=channels", files=files)
        assert refused.status_code == 413

    @pytest.mark.parametrize("place", ["query", "form"])
    def test_it_may_be_asked_for_in_the_query_and_the_form(self, http: httpx.Client, place: str) -> None:
        report = {"on_error": "report"}
        answer = http.post(
            "/predict",
            params=report if place == "query" else {},
            data=report if place == "form" else {},
            files=[("file", png()), ("file", b"hello")],
        )
        assert ["error" in prediction for prediction in answer.json()["predictions"]] == [False, True]

    @pytest.mark.parametrize("place", ["query", "json"])
    def test_text_that_is_not_base64_is_told_of_too(self, http: httpx.Client, place: str) -> None:
        encoded = base64.b64encode(png()).decode()
        document: dict[str, Any] = {"images": ["%%%", encoded, "aGVsbG8=", encoded, "%"]}
        report = {"on_error": "report"}
        answer = http.post(
            "/predict", params=report if place == "query" else {}, json=document | (report if place == "json" else {})
        )
        assert answer.status_code == 200, answer.text
        errors = ["error" in prediction for prediction in answer.json()["predictions"]]
        assert errors == [True, False, True, False, True]

    def test_all_bad_is_422_and_names_each(self, http: httpx.Client) -> None:
        files = [("file", ("a.txt", b"hello")), ("file", ("large.png", png(size=(2000, 1000))))]
        answer = http.post("/predict?on_error=report", files=files)
        assert answer.status_code == 422
        named = [(error["index"], error["filename"]) for error in answer.json()["errors"]]
        assert named == [(0, "a.txt"), (1, "large.png")]
        encoded = http.post("/predict?on_error=report", json={"images": ["%%%"]})
        assert (encoded.status_code, "base64" in encoded.text) == (422, True)
        raw = http.post("/predict?on_error=report", content=b"hello", headers=PNG)
        assert raw.status_code == 422

    def test_arrays_have_no_place_for_a_report(self, http: httpx.Client) -> None:
        stream = io.BytesIO()
        np.save(stream, np.zeros((1, 28, 28, 1), np.uint8))
        pixels = http.post("/predict?on_error=report", content=stream.getvalue(), headers={"Content-Type": NPY})
        assert (pixels.status_code, "array of pixels" in pixels.text) == (400, True)
        array = http.post("/predict?on_error=report", content=png(), headers={**PNG, "Accept": NPY})
        assert (array.status_code, "an answer in JSON" in array.text) == (400, True)

    def test_another_value_is_refused(self, http: httpx.Client) -> None:
        answer = http.post("/predict?on_error=ignore", content=png(), headers=PNG)
        assert (answer.status_code, "it must be report" in answer.text) == (400, True)
