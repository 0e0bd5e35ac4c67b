"""How ONNX Runtime is to use a GPU.

Source: https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html and
TensorRT-ExecutionProvider.html; the names were checked against the libraries of onnxruntime-gpu 1.31.
"""

from dataclasses import dataclass
from pathlib import Path

from contract import INPUT_NAME
from service.inference.providers import ONNX_RUNTIME_NAMES, Provider

Options = dict[str, str]


@dataclass(frozen=True, slots=True)
class GpuPolicy:
    """What a session may take of its GPU.

    Attributes:
        memory_limit_bytes: most that one session's arena may hold. Weights, activations and buffers of the bucket
            sizes live there; the CUDA context, about half a GiB a process, does not.
        cuda_graphs: whether to capture each bucket's launches and replay them as one.
        tensorrt_cache_dir: where TensorRT keeps the engines that it builds for the next start; None: nowhere.
    """

    memory_limit_bytes: int
    cuda_graphs: bool
    tensorrt_cache_dir: Path | None = None


def provider_list(
    provider: Provider, policy: GpuPolicy, input_shape: tuple[int, int, int], max_batch_size: int
) -> list[tuple[str, Options]]:
    """The ``providers`` argument of a session on a GPU.

    Args:
        provider: cuda or tensorrt, and which GPU.
        policy: what the session may take.
        input_shape: (H, W, C).
        max_batch_size: most images in one run.

    Returns:
        ONNX Runtime's names and options, best first; never the CPU.
    """
    if provider.name == "tensorrt":
        # What TensorRT does not take is left to CUDA. Its own engines are not captured together with that.
        return [
            (ONNX_RUNTIME_NAMES["tensorrt"], _tensorrt(provider, policy, input_shape, max_batch_size)),
            (ONNX_RUNTIME_NAMES["cuda"], _cuda(provider, policy.memory_limit_bytes, cuda_graphs=False)),
        ]
    return [(ONNX_RUNTIME_NAMES["cuda"], _cuda(provider, policy.memory_limit_bytes, cuda_graphs=policy.cuda_graphs))]


def _cuda(provider: Provider, memory_limit_bytes: int, *, cuda_graphs: bool) -> Options:
    return {
        "device_id": str(provider.device_id),
        "gpu_mem_limit": str(memory_limit_bytes),
        # Workers share the GPU: take what is asked for, not the next power of two.
        "arena_extend_strategy": "kSameAsRequested",
        # The exhaustive search runs every algorithm for each new shape; cuDNN's own guess is nearly as fast.
        "cudnn_conv_algo_search": "HEURISTIC",
        # float32 means float32. TF32 keeps ten bits of a product's factors, and answers would depend on the GPU.
        "use_tf32": "0",
        "enable_cuda_graph": "1" if cuda_graphs else "0",
    }


def _tensorrt(provider: Provider, policy: GpuPolicy, input_shape: tuple[int, int, int], max_batch_size: int) -> Options:
    def profile(batch_size: int) -> str:
        return f"{INPUT_NAME}:{'x'.join(map(str, (batch_size, *input_shape)))}"

    kept = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(policy.tensorrt_cache_dir)}
    return {
        **(kept if policy.tensorrt_cache_dir is not None else {}),
        "device_id": str(provider.device_id),
        # One engine for every bucket; without a profile each new batch size would build one, in seconds.
        "trt_profile_min_shapes": profile(1),
        "trt_profile_opt_shapes": profile(max_batch_size),
        "trt_profile_max_shapes": profile(max_batch_size),
    }
