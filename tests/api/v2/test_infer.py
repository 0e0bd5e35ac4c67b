"""``infer`` byte by byte: requests of clients in other languages, and requests with false lengths and shapes."""

import base64
import gzip
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

Pixels = dict[str, NDArray[np.uint8]]
Predicted = dict[str, NDArray[np.float64]]

PATH = "/v2/models/cifar10/infer"
LENGTH = "Inference-Header-Content-Length"


def _image(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [0] * 3072}
    return {key: value for key, value in (tensor | changes).items() if value is not ...}


def _binary(raw: bytes, size: int | None = None, **changes: Any) -> tuple[bytes, dict[str, str]]:
    tensor = _image(data=..., parameters={"binary_data_size": len(raw) if size is None else size}, **changes)
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + raw, {LENGTH: str(len(head))}


def _error(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert list(document) == ["error"]
    return str(document["error"])


@pytest.mark.parametrize("nested", [True, False])
def test_pixels_in_json(client: httpx.Client, pixels: Pixels, predicted: Predicted, nested: bool) -> None:
    rows = pixels["cifar10"]
    data = rows.tolist() if nested else rows.ravel().tolist()
    answer = client.post(PATH, json={"id": "a", "inputs": [_image(shape=rows.shape, data=data)]}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("cifar10", "1", "a")
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("probabilities", "FP32", [20, 10])
    np.testing.assert_allclose(np.reshape(output["data"], (20, 10)), predicted["cifar10"], atol=1e-6)


@pytest.mark.parametrize("shape", [[20], [20, 1]])
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_files_in_json(
    client: httpx.Client, samples: dict[str, list[Path]], predicted: Predicted, prefix: str, shape: list[int]
) -> None:
    texts: list[Any] = [prefix + base64.b64encode(path.read_bytes()).decode() for path in samples["cifar10"]]
    if len(shape) == 2:
        texts = [[text] for text in texts]
    tensor = {"name": "encoded", "datatype": "BYTES", "shape": shape, "data": texts}
    (output,) = client.post("/v2/models/cifar10/versions/1/infer", json={"inputs": [tensor]}).json()["outputs"]
    np.testing.assert_allclose(np.reshape(output["data"], (20, 10)), predicted["cifar10"], atol=1e-6)


def test_an_answer_has_no_id_where_none_was_sent(client: httpx.Client) -> None:
    answer = client.post(PATH, json={"inputs": [_image()]})
    assert "id" not in answer.json()
    assert answer.headers["server-timing"].startswith("decode;dur=")


def test_raw_pixels_and_a_raw_answer(client: httpx.Client, pixels: Pixels, predicted: Predicted) -> None:
    rows = pixels["cifar10"]
    tensor = _image(shape=rows.shape, data=..., parameters={"binary_data_size": rows.nbytes})
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    answer = client.post(PATH, content=head + rows.tobytes(), headers={LENGTH: str(len(head))})
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers[LENGTH])
    (output,) = json.loads(answer.content[:length])["outputs"]
    raw = answer.content[length:]
    assert output["parameters"]["binary_data_size"] == len(raw)
    np.testing.assert_allclose(np.frombuffer(raw, "<f4").reshape(20, 10), predicted["cifar10"], atol=1e-6)


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_binary_body(client: httpx.Client, coding: str, encode: Any) -> None:
    body, headers = _binary(bytes(3072))
    answer = client.post(PATH, content=encode(body), headers={**headers, "Content-Encoding": coding})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("accepted", ["gzip", "gzip;q=0", "identity"])
def test_a_large_answer_is_compressed_for_who_accepts(client: httpx.Client, accepted: str) -> None:
    body, headers = _binary(bytes(3072 * 500), shape=[500, 32, 32, 3])
    answer = client.post(PATH, content=body, headers={**headers, "Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == ("gzip" if accepted == "gzip" else None)
    assert len(answer.json()["outputs"][0]["data"]) == 5000


class TestLies:
    @pytest.mark.parametrize("length", ["0", "-1", "ten", "99999999", "9" * 40])
    def test_an_impossible_json_length(self, client: httpx.Client, length: str) -> None:
        body, _ = _binary(bytes(3072))
        assert "it must be the length of the JSON" in _error(client.post(PATH, content=body, headers={LENGTH: length}))

    @pytest.mark.parametrize("off_by", [-1, 1])
    def test_a_json_length_that_is_off(self, client: httpx.Client, off_by: int) -> None:
        body, headers = _binary(bytes(3072))
        headers[LENGTH] = str(int(headers[LENGTH]) + off_by)
        assert "not JSON" in _error(client.post(PATH, content=body, headers=headers))

    def test_a_truncated_body(self, client: httpx.Client) -> None:
        body, headers = _binary(bytes(3072))
        message = _error(client.post(PATH, content=body[:-1], headers=headers))
        assert message == "input image: it promises 3072 raw bytes, 3071 are left"

    def test_bytes_that_no_input_wants(self, client: httpx.Client) -> None:
        body, headers = _binary(bytes(3072))
        message = _error(client.post(PATH, content=body + b"x", headers=headers))
        assert message == "3073 raw bytes follow the JSON; its inputs account for 3072"

    def test_a_size_that_is_not_the_shape_s(self, client: httpx.Client) -> None:
        body, headers = _binary(bytes(3072), shape=[2, 32, 32, 3])
        assert "needs 6144 bytes, 3072 are here" in _error(client.post(PATH, content=body, headers=headers))

    @pytest.mark.parametrize(
        "raw",
        [b"", b"\x01", struct.pack("<I", 5) + b"four", struct.pack("<I", 1) + b"ab", struct.pack("<I", 2**32 - 1)],
    )
    def test_elements_that_overrun(self, client: httpx.Client, raw: bytes) -> None:
        body, headers = _binary(raw, name="encoded", datatype="BYTES", shape=[1])
        assert "do not hold 1 elements" in _error(client.post(PATH, content=body, headers=headers))

    def test_broken_gzip(self, client: httpx.Client) -> None:
        body, headers = _binary(bytes(3072))
        headers["Content-Encoding"] = "gzip"
        assert "truncated" in _error(client.post(PATH, content=gzip.compress(body)[:-9], headers=headers))

    def test_an_unknown_encoding(self, client: httpx.Client) -> None:
        answer = client.post(PATH, json={"inputs": [_image()]}, headers={"Content-Encoding": "br"})
        assert "gzip, deflate or none" in _error(answer, 415)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be an object"),
        ({}, "`inputs` must be a list"),
        ({"inputs": []}, "send one input, image or encoded; sent: none"),
        ({"inputs": [_image(), _image()]}, "sent: image, image"),
        ({"inputs": [_image(name="input_1")]}, "there is no input 'input_1'; send image or encoded"),
        ({"inputs": [_image(name=...)]}, "the texts `name` and `datatype`"),
        ({"inputs": [_image(shape=[1, 32, 32, -3])]}, "whole numbers from 0 up"),
        ({"inputs": [_image(shape=[1, 32, 32, True])]}, "whole numbers from 0 up"),
        ({"inputs": [_image(shape=[0, 32, 32, 3], data=[])]}, "this model takes UINT8 [N, 32, 32, 3]"),
        ({"inputs": [_image(shape=[1, 3, 32, 32])]}, "this model takes UINT8 [N, 32, 32, 3]"),
        ({"inputs": [_image(datatype="FP32")]}, "is FP32 [1, 32, 32, 3]"),
        ({"inputs": [_image(data=...)]}, "neither a list `data` nor `binary_data_size`"),
        ({"inputs": [_image(data=[0] * 3071)]}, "needs 3072 bytes, 3071 are here"),
        ({"inputs": [_image(data=[256] + [0] * 3071)]}, "whole numbers from 0 to 255"),
        ({"inputs": [_image(data=[0.5] * 3072)]}, "whole numbers from 0 to 255"),
        ({"inputs": [_image(data=["0"] * 3072)]}, "whole numbers from 0 to 255"),
        ({"inputs": [_image(data=[[0], [0, 0]])]}, "nested unevenly"),
        ({"inputs": [_image(data=[[0] * 1536] * 2)]}, "its data is nested as [2, 1536]"),
        ({"inputs": [_image(parameters={"binary_data_size": -1})]}, "`binary_data_size` must be a whole number"),
        ({"inputs": [_image(parameters={"binary_data_size": 1})]}, "both `data` and `binary_data_size`"),
        ({"inputs": [_image(data=..., parameters={"shared_memory_region": "a"})]}, "shared memory"),
        ({"inputs": [_image()], "outputs": [{"name": "logits"}]}, "there is no output 'logits'"),
        ({"inputs": [_image()], "outputs": [{"name": "probabilities"}] * 2}, "ask for probabilities once"),
        ({"inputs": [_image()], "parameters": {"binary_data_output": 1}}, "must be true or false"),
        ({"inputs": [_image()], "id": 7}, "`id` must be text"),
        ({"inputs": [_image()], "id": "x" * 257}, "at most 256 are allowed"),
        ({"inputs": [_image()], "id": "x" * 100_000}, "at most 256 are allowed"),
        (
            {"inputs": [_image()], "outputs": [{"name": "probabilities", "parameters": {"classification": "3"}}]},
            "`classification` must be a whole number",
        ),
    ],
)
def test_what_is_wrong_is_said(client: httpx.Client, document: Any, message: str) -> None:
    assert message in _error(client.post(PATH, json=document))


@pytest.mark.parametrize(("blanks", "item", "status"), [(300, [0], 200), (300, True, 400), (5000, True, 400)])
def test_blanks_before_the_data_change_nothing(client: httpx.Client, blanks: int, item: Any, status: int) -> None:
    data = [[[[0] * 3] * 32] * 32] if item == [0] else [item] * 3072
    body = json.dumps({"inputs": [_image(data=data)]}).replace('"data": ', f'"data":{" " * blanks}')
    answer = client.post(PATH, content=body)
    assert answer.status_code == status, answer.text
    assert status == 200 or "whole numbers from 0 to 255" in _error(answer)


def test_more_classes_than_there_are_is_all_of_them(client: httpx.Client) -> None:
    outputs = [{"name": "probabilities", "parameters": {"classification": 99}}]
    (output,) = client.post(PATH, json={"inputs": [_image()], "outputs": outputs}).json()["outputs"]
    assert (output["datatype"], output["shape"], len(output["data"])) == ("BYTES", [1, 10], 10)


@pytest.mark.parametrize("path", ["/v2/models/dog/infer", "/v2/models/cifar10/versions/2/infer"])
def test_a_model_that_is_not_served(client: httpx.Client, path: str) -> None:
    assert "no " in _error(client.post(path, json={"inputs": [_image()]}), 404)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2/nothing", 404), ("PUT", PATH, 405)])
def test_every_error_below_v2_is_the_protocol_s(client: httpx.Client, method: str, path: str, status: int) -> None:
    _error(client.request(method, path), status)


@pytest.mark.parametrize("query", ["min_confidence=0.9", "version=1", "&"])
def test_parameters_in_the_address_are_refused_and_not_ignored(client: httpx.Client, query: str) -> None:
    error = _error(client.post(f"{PATH}?{query}", json={"inputs": [_image()]}))
    assert error == f"unknown parameter {query.partition('=')[0]!r} in the address; this API takes none there"
