"""Real requests to ``/predict``: forms, JSON and raw pictures as browsers, tools and libraries send them."""

import base64
import gzip
import json
import textwrap
import zlib
from pathlib import Path

import httpx
import pytest

from tests.api.forms import CAT, detail, is_cat, part, post_form

PNG = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}


class TestParameters:
    @pytest.fixture
    def seven(self, samples: dict[str, list[Path]]) -> bytes:
        return samples["mnist"][14].read_bytes()

    def test_a_form_names_model_version_and_top_k(self, client: httpx.Client, seven: bytes) -> None:
        fields = {"model": "mnist", "version": "1", "top_k": "2"}
        answer = client.post("/predict", files={"file": seven}, data=fields).json()
        assert (answer["model"], answer["version"]) == ("mnist", "1")
        assert len(answer["predictions"][0]["top"]) == 2

    @pytest.mark.parametrize("version", ["1", 1, 1.0, None])
    def test_json_names_model_version_and_top_k(self, client: httpx.Client, seven: bytes, version: object) -> None:
        document = {"images": [base64.b64encode(seven).decode()], "model": "mnist", "version": version, "top_k": 2}
        answer = client.post("/predict", json=document).json()
        assert answer["model"] == "mnist"
        assert version is None or answer["version"] == "1"
        assert len(answer["predictions"][0]["top"]) == 2

    @pytest.mark.parametrize(
        "path", ["/predict?model=mnist", "/models/mnist/predict", "/models/mnist/versions/1/predict"]
    )
    def test_the_same_in_two_places_is_right(self, client: httpx.Client, seven: bytes, path: str) -> None:
        answer = client.post(path, files={"file": seven}, data={"model": "mnist"})
        assert answer.json()["model"] == "mnist"

    @pytest.mark.parametrize(
        ("path", "fields"),
        [
            ("/predict?model=cifar10", {"model": "mnist"}),
            ("/models/cifar10/predict", {"model": "mnist"}),
            ("/models/mnist/versions/1/predict", {"version": "2"}),
            ("/predict?model=mnist&version=1", {"version": "2"}),
            ("/predict?top_k=1", {"top_k": "2"}),
        ],
    )
    def test_two_places_that_disagree_are_400(
        self, client: httpx.Client, seven: bytes, path: str, fields: dict[str, str]
    ) -> None:
        (name,) = fields
        text = detail(client.post(path, files={"file": seven}, data=fields))
        assert text.startswith(f"{name} is ")
        assert "name it once" in text
        document = {"images": [base64.b64encode(seven).decode()], **fields}
        assert "name it once" in detail(client.post(path, json=document))

    def test_path_and_query_may_not_disagree_either(self, client: httpx.Client, seven: bytes) -> None:
        answer = client.post("/models/mnist/predict?model=cifar10", content=seven, headers=PNG)
        assert detail(answer) == "model is 'mnist' in the path and 'cifar10' in the query; name it once"

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"modle": "mnist"}, "unknown form field 'modle'; known: file, model, version, top_k"),
            ({"top_k": "many"}, "top_k is 'many'; it must be a whole number from 1 up"),
            ({"model": "x" * 200}, "model has more than the 128 characters"),
        ],
    )
    def test_a_wrong_field_is_named(
        self, client: httpx.Client, seven: bytes, fields: dict[str, str], text: str
    ) -> None:
        assert text in detail(client.post("/predict", files={"file": seven}, data=fields))

    @pytest.mark.parametrize(
        ("members", "text"),
        [
            ({"modle": "mnist"}, "unknown member 'modle'; known: images, model, version, top_k"),
            ({"model": 7}, "model must be text"),
            ({"model": ["mnist"]}, "model must be text"),
            ({"version": 1.5}, "version must be text"),
            ({"version": 1e300}, "version has more than the 128 characters"),
            ({"top_k": "0"}, "whole number from 1 up"),
            ({"top_k": 0}, "whole number from 1 up"),
            ({"top_k": True}, "whole number from 1 up"),
            ({"top_k": 1e300}, "whole number from 1 up"),
            ({"top_k": 10**12}, "whole number from 1 up"),
        ],
    )
    def test_a_wrong_member_is_named(
        self, client: httpx.Client, seven: bytes, members: dict[str, object], text: str
    ) -> None:
        document = {"images": [base64.b64encode(seven).decode()], **members}
        assert text in detail(client.post("/predict", json=document))

    def test_a_field_that_was_left_blank_says_nothing(self, client: httpx.Client, seven: bytes) -> None:
        answer = client.post("/predict?model=mnist", files={"file": seven}, data={"model": "", "top_k": ""}).json()
        assert answer["model"] == "mnist"
        assert "top" not in answer["predictions"][0]

    def test_a_field_or_member_that_is_given_twice_is_400(self, client: httpx.Client, seven: bytes) -> None:
        twice = part("name=model", b"mnist")
        assert "`model` is given twice" in detail(post_form(client, twice, twice, part(CAT, seven)))
        text = base64.b64encode(seven).decode()
        body = f'{{"images": ["{text}"], "images": ["{text}"]}}'
        assert "'images' is given twice" in detail(client.post("/predict", content=body, headers=JSON))

    def test_an_unknown_model_of_a_form_is_404(self, client: httpx.Client, seven: bytes) -> None:
        assert "no model 'dog'" in detail(client.post("/predict", files={"file": seven}, data={"model": "dog"}), 404)


class TestRawPictures:
    @pytest.mark.parametrize(
        "content_type",
        ["binary/octet-stream", "image/jpg", "Image/PNG", "image/x-png; charset=binary", "APPLICATION/OCTET-STREAM"],
    )
    def test_its_usual_names(self, client: httpx.Client, cat: bytes, content_type: str) -> None:
        assert is_cat(client.post("/predict", content=cat, headers={"Content-Type": content_type}))

    @pytest.mark.parametrize("headers", [{}, {"Content-Type": ""}])
    def test_a_body_without_a_type_is_a_picture(
        self, client: httpx.Client, cat: bytes, headers: dict[str, str]
    ) -> None:
        assert is_cat(client.post("/predict", content=cat, headers=headers))

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b'{"images": []}', "application/json"),
            (b'\xef\xbb\xbf {"images": []}', "application/json"),
            (b"\x93NUMPY\x01\x00", "application/x-npy"),
            (b"--x\r\n", "multipart/form-data; boundary="),
        ],
    )
    def test_a_body_without_a_type_that_is_plainly_something_else_is_415(
        self, client: httpx.Client, body: bytes, kind: str
    ) -> None:
        assert f"send it with Content-Type: {kind}" in detail(client.post("/predict", content=body), 415)

    def test_curl_without_a_type_is_told_how(self, client: httpx.Client, cat: bytes) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        text = detail(client.post("/predict", content=cat, headers=headers), 415)
        assert "--data-binary" in text
        assert "-F file=@" in text

    def test_a_picture_that_curl_has_mangled_is_told_so(self, client: httpx.Client, cat: bytes) -> None:
        mangled = bytes(sign for sign in cat if sign not in b"\r\n\0")
        assert "--data-binary" in detail(client.post("/predict", content=mangled, headers=PNG), 422)
        assert "--data-binary" not in detail(client.post("/predict", content=cat[:700], headers=PNG), 422)


class TestJson:
    def test_base64_in_every_form(self, client: httpx.Client, cat: bytes) -> None:
        text = base64.b64encode(cat).decode()
        forms = [
            "\n".join(textwrap.wrap(text, 76)),
            "\r\n".join(textwrap.wrap(text, 76)),
            text.replace("+", "-").replace("/", "_").rstrip("="),
            f"DATA:Image/PNG;BASE64,{text}",
        ]
        assert is_cat(client.post("/predict", json={"images": forms}), len(forms))
        tensor = {"name": "encoded", "datatype": "BYTES", "shape": [len(forms)], "data": forms}
        outputs = [{"name": "probabilities", "parameters": {"classification": 1}}]
        answer = client.post("/v2/models/cifar10/infer", json={"inputs": [tensor], "outputs": outputs}).json()
        assert [label.rpartition(":")[2] for label in answer["outputs"][0]["data"]] == ["cat"] * len(forms)

    def test_an_address_is_not_fetched(self, client: httpx.Client) -> None:
        url = "https://example.org/cat.png"
        assert "addresses are not fetched" in detail(client.post("/predict", json={"images": [url]}), 422)
        tensor = {"name": "encoded", "datatype": "BYTES", "shape": [1], "data": [url]}
        answer = client.post("/v2/models/cifar10/infer", json={"inputs": [tensor]})
        assert answer.status_code == 422
        assert "addresses are not fetched" in answer.json()["error"]

    def test_a_byte_order_mark(self, client: httpx.Client, cat: bytes) -> None:
        document = json.dumps({"images": [base64.b64encode(cat).decode()]}).encode()
        assert is_cat(client.post("/predict", content=b"\xef\xbb\xbf" + document, headers=JSON))

    @pytest.mark.parametrize("body", ['{"images": ["AAAA"]}'.encode("utf-16"), b'{"images": ["\xe4"]}'])
    def test_another_encoding_is_named(self, client: httpx.Client, body: bytes) -> None:
        assert "it is not UTF-8" in detail(client.post("/predict", content=body, headers=JSON))


class TestCompression:
    @pytest.mark.parametrize("coding", ["gzip", "GZIP", "GZip", "x-gzip", "X-GZIP"])
    def test_the_name_in_any_case(self, client: httpx.Client, cat: bytes, coding: str) -> None:
        assert is_cat(client.post("/predict", content=gzip.compress(cat), headers={**PNG, "Content-Encoding": coding}))

    @pytest.mark.parametrize("coding", ["identity", "Identity", ""])
    def test_no_coding(self, client: httpx.Client, cat: bytes, coding: str) -> None:
        assert is_cat(client.post("/predict", content=cat, headers={**PNG, "Content-Encoding": coding}))

    def test_several_members(self, client: httpx.Client, cat: bytes) -> None:
        headers = {**PNG, "Content-Encoding": "gzip"}
        padded = cat + bytes(1_000_000)
        members = [gzip.compress(padded[at : at + 100_000]) for at in range(0, len(padded), 100_000)]
        assert is_cat(client.post("/predict", content=b"".join(members), headers=headers))
        # Empty members are allowed, up to a limit.
        assert is_cat(client.post("/predict", content=gzip.compress(cat) + gzip.compress(b"") * 100, headers=headers))
        many = gzip.compress(cat) + gzip.compress(b"") * 5000
        assert "something follows it" in detail(client.post("/predict", content=many, headers=headers))

    @pytest.mark.parametrize("tail", [b"tail", b"\0" * 8, gzip.compress(b"x", mtime=0)[:-1], zlib.compress(b"x")])
    def test_what_follows_a_member_and_is_none(self, client: httpx.Client, cat: bytes, tail: bytes) -> None:
        headers = {**PNG, "Content-Encoding": "gzip"}
        assert "follows it" in detail(client.post("/predict", content=gzip.compress(cat) + tail, headers=headers))

    def test_members_together_have_the_limit_of_one(self, client: httpx.Client) -> None:
        headers = {**PNG, "Content-Encoding": "gzip"}
        body = gzip.compress(bytes(17 << 20)) * 2
        assert "once inflated" in detail(client.post("/predict", content=body, headers=headers), 413)
