"""Triton's client over REST: every call that the protocol defines, sync and aio, JSON and binary."""

from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from tests.api.v2.conftest import NAMES
from tests.process import ServerProcess

Predicted = dict[str, NDArray[np.float64]]
Pixels = dict[str, NDArray[np.uint8]]
Files = dict[str, NDArray[np.object_]]


@pytest.fixture
def http(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(server.url.removeprefix("http://"))
    yield client
    client.close()


@pytest.fixture
async def aio(server: ServerProcess) -> AsyncIterator[triton_aio.InferenceServerClient]:
    client = triton_aio.InferenceServerClient(server.url.removeprefix("http://"))
    yield client
    await client.close()


def _image(pixels: NDArray[np.uint8], *, binary: bool = True) -> triton.InferInput:
    tensor = triton.InferInput("image", pixels.shape, "UINT8")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    return tensor


def _encoded(files: NDArray[np.object_]) -> triton.InferInput:
    tensor = triton.InferInput("encoded", files.shape, "BYTES")
    tensor.set_data_from_numpy(files)
    return tensor


class TestQuestions:
    def test_server(self, http: triton.InferenceServerClient) -> None:
        assert http.is_server_live()
        assert http.is_server_ready()
        metadata = http.get_server_metadata()
        assert metadata["name"] == "convoy"
        assert {"binary_tensor_data", "classification"} <= set(metadata["extensions"])

    @pytest.mark.parametrize("version", ["", "1"])
    @pytest.mark.parametrize("name", NAMES)
    def test_model(self, http: triton.InferenceServerClient, name: str, version: str, pixels: Pixels) -> None:
        shape = list(pixels[name].shape[1:])
        assert http.is_model_ready(name, version)
        metadata = http.get_model_metadata(name, version)
        assert metadata["versions"] == ["1"]
        assert metadata["inputs"][0] == {"name": "image", "datatype": "UINT8", "shape": [-1, *shape]}
        config = http.get_model_config(name, version)
        assert config["input"][0]["dims"] == shape
        assert config["output"] == [{"name": "probabilities", "data_type": "TYPE_FP32", "dims": [10]}]

    @pytest.mark.parametrize(("name", "version"), [("cifar10", "7"), ("dog", "")])
    def test_what_is_not_there_is_not_ready(self, http: triton.InferenceServerClient, name: str, version: str) -> None:
        assert not http.is_model_ready(name, version)
        with pytest.raises(InferenceServerException, match=r"\[404\] (no model 'dog'|model 'cifar10' has no version)"):
            http.get_model_metadata(name, version)

    def test_repository_index(self, http: triton.InferenceServerClient) -> None:
        index = http.get_model_repository_index()
        assert index == [{"name": name, "version": "1", "state": "READY", "reason": ""} for name in NAMES]

    def test_statistics_count_pictures(self, http: triton.InferenceServerClient, pixels: Pixels) -> None:
        def count() -> int:
            (stats,) = http.get_inference_statistics("mnist", "1")["model_stats"]
            return int(stats["inference_count"])

        before = count()
        http.infer("mnist", [_image(pixels["mnist"])])
        assert count() - before == len(pixels["mnist"])
        every = http.get_inference_statistics()["model_stats"]
        assert [entry["name"] for entry in every] == list(NAMES)

    def test_statistics_sum_the_stages_of_each_request(
        self, http: triton.InferenceServerClient, pixels: Pixels
    ) -> None:
        http.infer("mnist", [_image(pixels["mnist"])])
        (stats,) = http.get_inference_statistics("mnist", "1")["model_stats"]
        times = stats["inference_stats"]
        stages = [times[stage] for stage in ("queue", "compute_input", "compute_infer", "compute_output")]
        assert {stage["count"] for stage in stages} == {times["success"]["count"]}
        assert sum(stage["ns"] for stage in stages) == times["success"]["ns"]
        assert stats["batch_stats"] == []

    def test_statistics_count_requests_that_failed(self, http: triton.InferenceServerClient) -> None:
        def count() -> int:
            (stats,) = http.get_inference_statistics("mnist", "1")["model_stats"]
            return int(stats["inference_stats"]["fail"]["count"])

        before = count()
        encoded = triton.InferInput("encoded", [1], "BYTES")
        encoded.set_data_from_numpy(np.array([b"no picture"], np.object_))
        with pytest.raises(InferenceServerException, match="422"):
            http.infer("mnist", [encoded])
        assert count() - before == 1

    def test_model_control_is_closed(self, http: triton.InferenceServerClient) -> None:
        for change in (http.load_model, http.unload_model):
            with pytest.raises(InferenceServerException, match=r"\[403\].*model_control"):
                change("mnist")


class TestInfer:
    @pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
    @pytest.mark.parametrize("binary_output", [True, False])
    @pytest.mark.parametrize("binary_input", [True, False])
    @pytest.mark.parametrize("name", NAMES)
    def test_pixels(
        self,
        *,
        http: triton.InferenceServerClient,
        pixels: Pixels,
        predicted: Predicted,
        name: str,
        binary_input: bool,
        binary_output: bool,
        compression: str | None,
    ) -> None:
        answer = http.infer(
            name,
            [_image(pixels[name], binary=binary_input)],
            outputs=[triton.InferRequestedOutput("probabilities", binary_data=binary_output)],
            request_compression_algorithm=compression,
            response_compression_algorithm=compression,
        )
        np.testing.assert_allclose(answer.as_numpy("probabilities"), predicted[name], atol=1e-6)

    @pytest.mark.parametrize("name", NAMES)
    def test_files(self, http: triton.InferenceServerClient, files: Files, predicted: Predicted, name: str) -> None:
        answer = http.infer(name, [_encoded(files[name])], model_version="1", request_id="42")
        assert answer.get_response()["id"] == "42"
        assert answer.get_response()["model_version"] == "1"
        np.testing.assert_allclose(answer.as_numpy("probabilities"), predicted[name], atol=1e-6)

    def test_a_large_answer_comes_compressed(
        self, http: triton.InferenceServerClient, pixels: Pixels, predicted: Predicted
    ) -> None:
        many = np.tile(pixels["mnist"], (40, 1, 1, 1))
        answer = http.infer("mnist", [_image(many)], response_compression_algorithm="gzip")
        expected = np.tile(predicted["mnist"], (40, 1))
        np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, atol=1e-6)

    @pytest.mark.parametrize("binary", [True, False])
    def test_top_k(
        self, http: triton.InferenceServerClient, pixels: Pixels, predicted: Predicted, binary: bool
    ) -> None:
        wanted = triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=3)
        classes = http.infer("cifar10", [_image(pixels["cifar10"])], outputs=[wanted]).as_numpy("probabilities")
        assert classes.shape == (20, 3)
        for row, entries in zip(predicted["cifar10"], classes, strict=True):
            texts = [entry.decode() if isinstance(entry, bytes) else entry for entry in entries]
            values, places, labels = zip(*(text.split(":") for text in texts), strict=True)
            assert list(map(int, places)) == np.argsort(-row, kind="stable")[:3].tolist()
            np.testing.assert_allclose(list(map(float, values)), sorted(row, reverse=True)[:3], atol=1e-6)
            assert all(label.isalpha() for label in labels)

    def test_asynchronously(self, http: triton.InferenceServerClient, pixels: Pixels, predicted: Predicted) -> None:
        calls = [http.async_infer("cifar10", [_image(row[np.newaxis])]) for row in pixels["cifar10"]]
        rows = np.concatenate([call.get_result().as_numpy("probabilities") for call in calls])
        np.testing.assert_allclose(rows, predicted["cifar10"], atol=1e-6)

    def test_a_timeout_is_kept(self, http: triton.InferenceServerClient, pixels: Pixels) -> None:
        many = np.tile(pixels["cifar10"], (50, 1, 1, 1))
        with pytest.raises(InferenceServerException, match=r"\[504\].*time limit"):
            http.infer("cifar10", [_image(many)], timeout=1)

    @pytest.mark.parametrize(
        ("tensor", "message"),
        [
            (np.zeros((1, 28, 28, 1), np.uint8), r"\[400\].*this model takes UINT8 \[N, 32, 32, 3\]"),
            (np.zeros((1, 32, 32, 3), np.float32), r"\[400\].*is FP32 .*this model takes UINT8"),
            (np.zeros((2000, 32, 32, 3), np.uint8), r"\[413\].*at most 1024"),
        ],
        ids=["shape", "type", "count"],
    )
    def test_the_wrong_tensor(
        self, http: triton.InferenceServerClient, tensor: NDArray[np.generic], message: str
    ) -> None:
        datatype = "UINT8" if tensor.dtype == np.uint8 else "FP32"
        sent = triton.InferInput("image", tensor.shape, datatype)
        sent.set_data_from_numpy(tensor)
        with pytest.raises(InferenceServerException, match=message):
            http.infer("cifar10", [sent])

    def test_what_is_no_picture(self, http: triton.InferenceServerClient, cat: bytes) -> None:
        with pytest.raises(InferenceServerException, match=r"\[422\] image 1: it is not a picture"):
            http.infer("cifar10", [_encoded(np.array([cat, b"not a picture"], object))])

    def test_the_wrong_output(self, http: triton.InferenceServerClient, pixels: Pixels) -> None:
        with pytest.raises(InferenceServerException, match=r"\[400\] there is no output 'logits'"):
            http.infer("cifar10", [_image(pixels["cifar10"])], outputs=[triton.InferRequestedOutput("logits")])


class TestAio:
    async def test_questions(self, aio: triton_aio.InferenceServerClient) -> None:
        assert await aio.is_server_live()
        assert await aio.is_server_ready()
        assert await aio.is_model_ready("cifar10", "1")
        assert not await aio.is_model_ready("cifar10", "7")
        assert (await aio.get_server_metadata())["name"] == "convoy"
        assert (await aio.get_model_metadata("cifar10"))["platform"] == "onnxruntime_onnx"
        assert (await aio.get_model_config("cifar10"))["max_batch_size"] == 1024
        assert len(await aio.get_model_repository_index()) == 2
        assert (await aio.get_inference_statistics("cifar10"))["model_stats"][0]["version"] == "1"

    @pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
    async def test_infer(
        self,
        aio: triton_aio.InferenceServerClient,
        pixels: Pixels,
        predicted: Predicted,
        compression: str | None,
    ) -> None:
        answer = await aio.infer(
            "mnist",
            [_image(pixels["mnist"])],
            request_compression_algorithm=compression,
            response_compression_algorithm=compression,
        )
        np.testing.assert_allclose(answer.as_numpy("probabilities"), predicted["mnist"], atol=1e-6)
