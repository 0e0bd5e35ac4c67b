"""The options with which ONNX Runtime uses a GPU.

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
    """How much of a GPU one session may use, and how.

    Attributes:
        memory_limit_bytes: most memory in the arena of one session, which has weights, activations and the buffers of
            all buckets. The CUDA context, about half a GiB for each process, is not included.
        cuda_graphs: whether the kernel launches of each bucket are captured and replayed as one.
        tensorrt_cache_dir: folder in which TensorRT keeps its engines for the next start; None: they are not kept.
    """

    memory_limit_bytes: int
    cuda_graphs: bool
    tensorrt_cache_dir: Path | None = None


def provider_list(
    provider: Provider, policy: GpuPolicy, input_shape: tuple[int, int, int], max_batch_size: int
) -> list[tuple[str, Options]]:
    """The ``providers`` argument of a session on a GPU.

    Args:
        provider: cuda or tensorrt, with the device id of the GPU.
        policy: how much of the GPU the session may use.
        input_shape: (H, W, C).
        max_batch_size: most images in one run.

    Returns:
        ONNX Runtime's names and options of the providers, the preferred one first. The CPU is never among them.
    """
    if provider.name == "tensorrt":
        # CUDA runs the nodes that TensorRT does not support. A CUDA graph cannot hold both.
        return [
            (ONNX_RUNTIME_NAMES["tensorrt"], _tensorrt(provider, policy, input_shape, max_batch_size)),
            (ONNX_RUNTIME_NAMES["cuda"], _cuda(provider, policy.memory_limit_bytes, cuda_graphs=False)),
        ]
    return [(ONNX_RUNTIME_NAMES["cuda"], _cuda(provider, policy.memory_limit_bytes, cuda_graphs=policy.cuda_graphs))]


def _cuda(provider: Provider, memory_limit_bytes: int, *, cuda_graphs: bool) -> Options:
    return {
        "device_id": str(provider.device_id),
        "gpu_mem_limit": str(memory_limit_bytes),
        # Workers share the GPU, so only the needed memory is allocated, not the next power of two.
        "arena_extend_strategy": "kSameAsRequested",
        # The exhaustive search tries every algorithm for each new shape; cuDNN's heuristic choice is nearly as fast.
        "cudnn_conv_algo_search": "HEURISTIC",
        # TF32 rounds the factors of a product to ten bits, and then answers would differ from one GPU to another.
        "use_tf32": "0",
        "enable_cuda_graph": "1" if cuda_graphs else "0",
    }


def _tensorrt(provider: Provider, policy: GpuPolicy, input_shape: tuple[int, int, int], max_batch_size: int) -> Options:
    def profile(batch_size: int) -> str:
        return f"{INPUT_NAME}:{'x'.join(map(str, (batch_size, *input_shape)))}"

    cache = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(policy.tensorrt_cache_dir)}
    return {
        **(cache if policy.tensorrt_cache_dir is not None else {}),
        "device_id": str(provider.device_id),
        # One engine for all buckets. Without a profile, building one for each new batch size would take seconds.
        "trt_profile_min_shapes": profile(1),
        "trt_profile_opt_shapes": profile(max_batch_size),
        "trt_profile_max_shapes": profile(max_batch_size),
    }
