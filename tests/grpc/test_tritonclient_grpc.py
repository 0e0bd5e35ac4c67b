"""Triton's client over gRPC, sync and aio, gets the same answers as `/predict`."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from numpy.typing import NDArray
from PIL import Image
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException

from tests.fixtures.keys import write_keys
from tests.fixtures.models import copy_models
from tests.grpc_address import grpc_address_of
from tests.process import ServerProcess

NAMES = ("cifar10", "mnist")


@pytest.fixture
def grpc(grpc_address: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(grpc_address) as client:
        yield client


@pytest.fixture
async def aio(grpc_address: str) -> AsyncIterator[triton_aio.InferenceServerClient]:
    async with triton_aio.InferenceServerClient(grpc_address) as client:
        yield client


@pytest.fixture(scope="session")
def predicted(grpc_server: ServerProcess, samples: dict[str, list[Path]]) -> dict[str, NDArray[np.float64]]:
    answers = {}
    with httpx.Client(base_url=grpc_server.url) as http:
        for name, paths in samples.items():
            parts = [("file", (path.name, path.read_bytes())) for path in paths]
            predictions = http.post(f"/models/{name}/predict", files=parts).json()["predictions"]
            answers[name] = np.array([list(entry["probabilities"].values()) for entry in predictions])
    return answers


def _pixels(paths: list[Path]) -> NDArray[np.uint8]:
    pictures = [np.asarray(Image.open(path)) for path in paths]
    return np.stack([picture.reshape(*picture.shape[:2], -1) for picture in pictures])


def _image(paths: list[Path]) -> triton.InferInput:
    pixels = _pixels(paths)
    tensor = triton.InferInput("image", pixels.shape, "UINT8")
    tensor.set_data_from_numpy(pixels)
    return tensor


def _encoded(files: list[bytes]) -> triton.InferInput:
    tensor = triton.InferInput("encoded", [len(files)], "BYTES")
    tensor.set_data_from_numpy(np.array(files, object))
    return tensor


class TestQuestions:
    def test_server(self, grpc: triton.InferenceServerClient) -> None:
        assert grpc.is_server_live()
        assert grpc.is_server_ready()
        assert grpc.get_server_metadata().name == "convoy"

    @pytest.mark.parametrize("version", ["", "1"])
    @pytest.mark.parametrize("name", NAMES)
    def test_model(self, grpc: triton.InferenceServerClient, name: str, version: str) -> None:
        assert grpc.is_model_ready(name, version)
        metadata = grpc.get_model_metadata(name, version)
        assert [(tensor.name, tensor.datatype) for tensor in metadata.inputs] == [
            ("image", "UINT8"),
            ("encoded", "BYTES"),
        ]
        config = grpc.get_model_config(name, version).config
        assert (config.name, config.max_batch_size, config.output[0].dims) == (name, 1024, [10])
        assert config.input[0].data_type == 2  # TYPE_UINT8

    def test_what_is_not_there(self, grpc: triton.InferenceServerClient) -> None:
        assert not grpc.is_model_ready("dog")
        with pytest.raises(InferenceServerException, match=r"NOT_FOUND\] no model 'dog' is served"):
            grpc.get_model_metadata("dog")

    def test_statistics_of_a_version_need_the_name_of_its_model(self, grpc: triton.InferenceServerClient) -> None:
        with pytest.raises(InferenceServerException, match=r"INVALID_ARGUMENT.* without the name of its model"):
            grpc.get_inference_statistics("", "1")

    def test_statistics(self, grpc: triton.InferenceServerClient, samples: dict[str, list[Path]]) -> None:
        def count() -> int:
            return int(grpc.get_inference_statistics("mnist", "1").model_stats[0].inference_count)

        before = count()
        grpc.infer("mnist", [_image(samples["mnist"])])
        assert count() - before == 20
        assert len(grpc.get_inference_statistics().model_stats) == 2

    def test_repository(self, tmp_path: Path) -> None:
        flags, keys = write_keys(tmp_path, all=("predict", "control"))
        flags += ["--models-dir", str(copy_models(tmp_path / "models", "cifar10", "mnist")), "--model-control", "true"]
        shown = {"authorization": f"Bearer {keys['all']}"}
        with (
            ServerProcess(tmp_path / "log", *flags, "--grpc-port", "0", "--log-format", "text") as process,
            triton.InferenceServerClient(grpc_address_of(process)) as grpc,
        ):
            grpc.unload_model("mnist", headers=shown)
            assert not grpc.is_model_ready("mnist", headers=shown)
            index = grpc.get_model_repository_index(headers=shown)
            states = {entry.name: (entry.state, entry.reason) for entry in index.models}
            assert states == {"cifar10": ("READY", ""), "mnist": ("UNAVAILABLE", "unloaded")}
            grpc.load_model("mnist", headers=shown)
            assert grpc.is_model_ready("mnist", headers=shown)


class TestInfer:
    @pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
    @pytest.mark.parametrize("name", NAMES)
    def test_pixels(
        self,
        *,
        grpc: triton.InferenceServerClient,
        samples: dict[str, list[Path]],
        predicted: dict[str, NDArray[np.float64]],
        name: str,
        compression: str | None,
    ) -> None:
        answer = grpc.infer(name, [_image(samples[name])], request_id="42", compression_algorithm=compression)
        assert answer.get_response().id == "42"
        np.testing.assert_allclose(answer.as_numpy("probabilities"), predicted[name], atol=1e-6)

    @pytest.mark.parametrize("name", NAMES)
    def test_files(
        self,
        grpc: triton.InferenceServerClient,
        samples: dict[str, list[Path]],
        predicted: dict[str, NDArray[np.float64]],
        name: str,
    ) -> None:
        answer = grpc.infer(name, [_encoded([path.read_bytes() for path in samples[name]])], model_version="1")
        assert answer.get_response().model_version == "1"
        np.testing.assert_allclose(answer.as_numpy("probabilities"), predicted[name], atol=1e-6)

    def test_top_k(
        self,
        grpc: triton.InferenceServerClient,
        samples: dict[str, list[Path]],
        predicted: dict[str, NDArray[np.float64]],
    ) -> None:
        wanted = triton.InferRequestedOutput("probabilities", class_count=2)
        classes = grpc.infer("cifar10", [_image(samples["cifar10"])], outputs=[wanted]).as_numpy("probabilities")
        assert classes.shape == (20, 2)
        places = [int(text.split(b":")[1]) for text in classes[:, 0]]
        assert places == predicted["cifar10"].argmax(axis=1).tolist()

    def test_a_large_message(self, grpc: triton.InferenceServerClient) -> None:
        tensor = triton.InferInput("image", [1024, 32, 32, 3], "UINT8")
        tensor.set_data_from_numpy(np.zeros((1024, 32, 32, 3), np.uint8))
        rows = grpc.infer("cifar10", [tensor]).as_numpy("probabilities")
        assert rows.shape == (1024, 10)

    def test_contents_that_are_not_raw(
        self, grpc: triton.InferenceServerClient, cat: bytes, predicted: dict[str, NDArray[np.float64]]
    ) -> None:
        request = pb.ModelInferRequest(model_name="cifar10")
        tensor = request.inputs.add(name="encoded", datatype="BYTES", shape=[1])
        tensor.contents.bytes_contents.append(cat)
        output = grpc._client_stub.ModelInfer(request).outputs[0]
        np.testing.assert_allclose(output.contents.fp32_contents, predicted["cifar10"][6], atol=1e-6)

    def test_pixels_that_are_not_raw(
        self,
        grpc: triton.InferenceServerClient,
        samples: dict[str, list[Path]],
        predicted: dict[str, NDArray[np.float64]],
    ) -> None:
        pixels = _pixels(samples["cifar10"][6:8])
        request = pb.ModelInferRequest(model_name="cifar10")
        tensor = request.inputs.add(name="image", datatype="UINT8", shape=pixels.shape)
        tensor.contents.uint_contents.extend(pixels.ravel().tolist())
        output = grpc._client_stub.ModelInfer(request).outputs[0]
        rows = np.reshape(output.contents.fp32_contents, (2, 10))
        np.testing.assert_allclose(rows, predicted["cifar10"][6:8], atol=1e-6)

    @pytest.mark.parametrize(
        ("field", "elements", "images", "message"),
        [
            ("uint_contents", [256] * 3072, 1, "whole numbers from 0 to 255"),
            ("uint_contents", [1] * 3072, 8, "needs 24576 bytes, 3072 are here"),
            ("int_contents", [1] * 3072, 1, "UINT8 is sent in uint_contents, and this has int_contents"),
            ("bytes_contents", [bytes(3072)], 1, "UINT8 is sent in uint_contents, and this has bytes_contents"),
        ],
    )
    def test_pixels_in_a_wrong_place_are_not_guessed(
        self, grpc: triton.InferenceServerClient, field: str, elements: list[Any], images: int, message: str
    ) -> None:
        request = pb.ModelInferRequest(model_name="cifar10")
        tensor = request.inputs.add(name="image", datatype="UINT8", shape=[images, 32, 32, 3])
        getattr(tensor.contents, field).extend(elements)
        with pytest.raises(Exception, match=message):
            grpc._client_stub.ModelInfer(request)

    def test_shared_memory_is_refused(self, grpc: triton.InferenceServerClient, samples: dict[str, list[Path]]) -> None:
        wanted = triton.InferRequestedOutput("probabilities")
        wanted.set_shared_memory("nowhere", 40)
        with pytest.raises(InferenceServerException, match="output probabilities: shared memory is not supported"):
            grpc.infer("cifar10", [_image(samples["cifar10"])], outputs=[wanted])
        tensor = triton.InferInput("image", (1, 32, 32, 3), "UINT8")
        tensor.set_shared_memory("nowhere", 3072)
        with pytest.raises(InferenceServerException, match="input image: shared memory is not supported"):
            grpc.infer("cifar10", [tensor])

    def test_thousands_of_inputs_are_not_read(self, grpc: triton.InferenceServerClient) -> None:
        request = pb.ModelInferRequest(model_name="cifar10", inputs=[pb.ModelInferRequest.InferInputTensor()] * 30_000)
        with pytest.raises(Exception, match="send one input and ask for one output; sent: 30000 inputs, 0 outputs"):
            grpc._client_stub.ModelInfer(request)

    def test_calls_and_their_errors_are_counted_and_timed(
        self, grpc: triton.InferenceServerClient, grpc_server: ServerProcess
    ) -> None:
        series = (
            'convoy_requests_total{method="gRPC",status="OK"}',
            'convoy_requests_total{method="gRPC",status="NOT_FOUND"}',
            'convoy_errors_total{reason="model_not_found"}',
            'convoy_request_seconds_count{method="gRPC"}',
        )

        def count() -> list[float]:
            values = dict(line.rsplit(" ", 1) for line in httpx.get(f"{grpc_server.url}/metrics").text.splitlines())
            return [float(values.get(name, 0)) for name in series]

        before = count()
        assert grpc.is_model_ready("cifar10")
        with pytest.raises(InferenceServerException, match="NOT_FOUND"):
            grpc.get_model_metadata("dog")
        assert [after - ago for after, ago in zip(count(), before, strict=True)] == [1, 1, 1, 2]

    @pytest.mark.parametrize(
        ("shape", "datatype", "message"),
        [
            ((1, 28, 28, 1), "UINT8", r"INVALID_ARGUMENT\].*this model takes UINT8 \[N, 32, 32, 3\]"),
            ((1, 32, 32, 3), "INT8", r"INVALID_ARGUMENT\].*is INT8"),
            ((2000, 32, 32, 3), "UINT8", r"INVALID_ARGUMENT\].*at most 1024"),
        ],
    )
    def test_the_wrong_tensor(
        self, grpc: triton.InferenceServerClient, shape: tuple[int, ...], datatype: str, message: str
    ) -> None:
        tensor = triton.InferInput("image", shape, datatype)
        tensor.set_data_from_numpy(np.zeros(shape, datatype.lower()))
        with pytest.raises(InferenceServerException, match=message):
            grpc.infer("cifar10", [tensor])

    def test_what_is_no_picture(self, grpc: triton.InferenceServerClient) -> None:
        with pytest.raises(InferenceServerException, match=r"INVALID_ARGUMENT\] image 0: it is not a picture"):
            grpc.infer("cifar10", [_encoded([b"not a picture"])])

    def test_truncated_raw_contents(self, grpc: triton.InferenceServerClient) -> None:
        request = pb.ModelInferRequest(model_name="cifar10", raw_input_contents=[bytes(3071)])
        request.inputs.add(name="image", datatype="UINT8", shape=[1, 32, 32, 3])
        with pytest.raises(Exception, match="needs 3072 bytes, 3071 are here"):
            grpc._client_stub.ModelInfer(request)

    def test_a_deadline_is_kept(self, grpc: triton.InferenceServerClient, samples: dict[str, list[Path]]) -> None:
        tensor = _image(samples["cifar10"] * 50)
        with pytest.raises(InferenceServerException, match="DEADLINE_EXCEEDED"):
            grpc.infer("cifar10", [tensor], timeout=1)


class TestAio:
    async def test_questions(self, aio: triton_aio.InferenceServerClient) -> None:
        assert await aio.is_server_live()
        assert await aio.is_server_ready()
        assert await aio.is_model_ready("cifar10", "1")
        assert (await aio.get_server_metadata()).name == "convoy"
        assert (await aio.get_model_metadata("cifar10")).versions == ["1"]
        assert len((await aio.get_model_repository_index()).models) == 2

    async def test_infer(
        self,
        aio: triton_aio.InferenceServerClient,
        samples: dict[str, list[Path]],
        predicted: dict[str, NDArray[np.float64]],
    ) -> None:
        answer = await aio.infer("cifar10", [_image(samples["cifar10"])])
        np.testing.assert_allclose(answer.as_numpy("probabilities"), predicted["cifar10"], atol=1e-6)
