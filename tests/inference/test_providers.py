"""Which provider a setting selects, and the errors where it is not available."""

import ctypes
import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from service.errors import ProviderUnavailableError
from service.inference import GpuPolicy, ModelRepository, Provider, choose_provider, providers
from service.inference.driver import Driver, Gpu, read_driver
from service.inference.gpu_options import provider_list
from service.inference.probe import PROBE_MODEL
from service.inference.session import check_placement
from tests.process import ROOT

POLICY = GpuPolicy(memory_limit_bytes=1 << 30, cuda_graphs=True)
TWO_GPUS = Driver((13, 0), (Gpu("A", 1), Gpu("B", 1)))


class FakeDriver:
    """Answers as ``libcuda.so.1`` does."""

    def __init__(self, *, gpus: tuple[str, ...] = ("NVIDIA H100",), version: int = 13000, status: int = 0) -> None:
        self._gpus, self._version, self._status = gpus, version, status

    def cuInit(self, _flags: int) -> int:  # noqa: N802  the driver's names
        return self._status

    def cuGetErrorString(self, _status: int, text: object) -> int:  # noqa: N802
        text._obj.value = b"no CUDA-capable device is detected"  # type: ignore[attr-defined]
        return 0

    def cuDriverGetVersion(self, version: object) -> int:  # noqa: N802
        version._obj.value = self._version  # type: ignore[attr-defined]
        return 0

    def cuDeviceGetCount(self, count: object) -> int:  # noqa: N802
        count._obj.value = len(self._gpus)  # type: ignore[attr-defined]
        return 0

    def cuDeviceGet(self, device: object, index: int) -> int:  # noqa: N802
        device._obj.value = index  # type: ignore[attr-defined]
        return 0

    def cuDeviceGetName(self, name: "ctypes.Array[ctypes.c_char]", _size: int, device: ctypes.c_int) -> int:  # noqa: N802
        name.value = self._gpus[device.value].encode()
        return 0

    def cuDeviceTotalMem_v2(self, memory: object, _device: object) -> int:  # noqa: N802
        memory._obj.value = 80 << 30  # type: ignore[attr-defined]
        return 0


def test_the_driver_names_its_gpus_and_its_version() -> None:
    driver = read_driver(lambda _name: FakeDriver(gpus=("NVIDIA H100", "NVIDIA H200"), version=12040))
    assert driver == Driver((12, 4), (Gpu("NVIDIA H100", 80 << 30), Gpu("NVIDIA H200", 80 << 30)))


@pytest.mark.parametrize(
    ("driver", "said"),
    [(FakeDriver(gpus=()), "CUDA_VISIBLE_DEVICES"), (FakeDriver(status=100), "no CUDA-capable device is detected")],
    ids=["no GPU", "cannot start"],
)
def test_a_driver_that_is_of_no_use_says_why(driver: FakeDriver, said: str) -> None:
    with pytest.raises(ProviderUnavailableError, match=said):
        read_driver(lambda _name: driver)


def test_no_driver_is_named_as_what_is_missing() -> None:
    with pytest.raises(ProviderUnavailableError, match="no NVIDIA driver: libnothing"):
        read_driver(lambda _name: ctypes.CDLL("libnothing.so.1"))


def test_the_probe_is_what_the_onnx_package_makes() -> None:
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", kind, [1])],
        [helper.make_tensor_value_info("y", kind, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert model == onnx.load_from_string(PROBE_MODEL)
    onnx.checker.check_model(model, full_check=True)


def test_the_probe_runs() -> None:
    session = onnxruntime.InferenceSession(PROBE_MODEL, providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.array([-2], np.float32)})[0].tolist() == [0]


def no_gpu(reason: str) -> object:
    def raise_reason(*_: object) -> Driver:
        raise ProviderUnavailableError(reason)

    return raise_reason


def test_a_gpu_asked_for_by_name_is_an_error_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "is_built_in", lambda _name: True)
    monkeypatch.setattr(providers, "read_driver", no_gpu("no NVIDIA driver"))
    with pytest.raises(ProviderUnavailableError, match="execution_provider=cuda: no NVIDIA driver"):
        choose_provider("cuda")


def test_auto_falls_back_loudly_where_the_runtime_is_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(providers, "is_built_in", lambda _name: True)
    monkeypatch.setattr(providers, "read_driver", no_gpu("no NVIDIA driver"))
    chosen = choose_provider("auto")
    assert chosen == Provider("cpu", fallback_reason="no NVIDIA driver")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_auto_falls_back_loudly_where_a_gpu_has_the_wrong_runtime(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(providers, "is_built_in", lambda _name: False)
    monkeypatch.setattr(providers, "read_driver", lambda: TWO_GPUS)
    assert "install the `gpu` requirements" in choose_provider("auto").fallback_reason
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_auto_is_quiet_on_a_machine_that_was_never_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(providers, "is_built_in", lambda _name: False)
    monkeypatch.setattr(providers, "read_driver", no_gpu("no NVIDIA driver"))
    assert choose_provider("auto") == Provider("cpu")
    assert not caplog.records


def test_a_driver_too_old_for_the_runtime_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "is_built_in", lambda _name: True)
    monkeypatch.setattr(providers, "read_driver", lambda: Driver((12, 4), (Gpu("A", 1),)))
    monkeypatch.setattr(onnxruntime, "cuda_version", "13.0", raising=False)
    with pytest.raises(ProviderUnavailableError, match=r"built for CUDA 13\.0, and the driver runs CUDA 12\.4"):
        choose_provider("cuda")


def test_gpus_are_shared_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "check_usable", lambda _name: TWO_GPUS)
    assert [choose_provider("auto", slot).device_id for slot in range(5)] == [0, 1, 0, 1, 0]


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this runtime has CUDA")
def test_a_runtime_without_cuda_is_no_silent_fall_back() -> None:
    with pytest.raises(ProviderUnavailableError, match="built without CUDAExecutionProvider"):
        choose_provider("cuda")


def repository(provider: Provider) -> ModelRepository:
    return ModelRepository(ROOT / "models", provider=provider, intra_op_threads=1, max_batch_size=None, gpu=POLICY)


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this runtime has CUDA")
def test_a_session_that_lands_on_the_cpu_is_refused_where_the_gpu_is_required() -> None:
    with pytest.raises(ProviderUnavailableError, match=r"mnist/1/model\.onnx cannot run on cuda"):
        repository(Provider("cuda")).load("mnist", "1")


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this runtime has CUDA")
def test_a_session_that_lands_on_the_cpu_is_said_to_be_there(caplog: pytest.LogCaptureFixture) -> None:
    session = repository(Provider("cuda", is_required=False)).load("mnist", "1").session
    assert (session.provider, session.max_batch_size, session.batches_in_flight) == ("cpu", 32, 1)
    assert "serving it on the CPU" in caplog.text


def test_placement_is_read_from_the_session() -> None:
    path = str(Path(ROOT) / "models" / "mnist" / "1" / "model.onnx")
    options = providers.session_options("cpu")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert providers.placement(session).keys() == {"CPUExecutionProvider"}
    check_placement(session, Provider("cpu"))
    with pytest.raises(ProviderUnavailableError, match="on CPUExecutionProvider"):
        check_placement(session, Provider("cuda"))


def test_a_gpu_session_is_never_offered_the_cpu() -> None:
    for name in ("cuda", "tensorrt"):
        offered = provider_list(Provider(name, device_id=1), POLICY, (32, 32, 3), 64)  # type: ignore[arg-type]
        assert "CPUExecutionProvider" not in dict(offered)
        assert all(options["device_id"] == "1" for _, options in offered)


@pytest.mark.gpu
def test_the_gpu_answers_as_the_cpu_does() -> None:
    try:
        gpu = choose_provider("cuda")
    except ProviderUnavailableError as error:
        pytest.skip(str(error))
    images = np.random.default_rng(9).integers(0, 256, (300, 32, 32, 3), np.uint8)
    on_gpu, on_cpu = (repository(provider).load("cifar10", "1").session for provider in (gpu, Provider("cpu")))
    assert on_gpu.provider == "cuda"
    for count in (1, 3, 200, 256):
        rows = on_gpu.run(images[:count])
        expected = np.concatenate([on_cpu.run(images[start : start + 32]) for start in range(0, count, 32)])[:count]
        assert np.abs(rows - expected).max() <= 1e-3
