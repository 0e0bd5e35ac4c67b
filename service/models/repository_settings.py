"""Makes the model repository from the settings, for serving and for ``convoy doctor``."""

from service.inference import GpuPolicy, KnownModels, LoadLimits, ModelRepository, Provider
from service.settings import Settings, user_cache_dir
from service.workers.cores import available_cores

_MOST_THREADS = 4


def make_repository(settings: Settings, provider: Provider) -> ModelRepository:
    """Makes the repository.

    Args:
        settings: of the service.
        provider: to run all models on.
    """
    cores = max(1, available_cores() // settings.workers)
    return ModelRepository(
        settings.models_dir,
        provider=provider,
        intra_op_threads=settings.intra_op_threads or min(_MOST_THREADS, max(1, cores - 1)),
        long_run_threads=settings.intra_op_threads or min(_MOST_THREADS, cores),
        max_batch_size=settings.max_batch_size,
        gpu=GpuPolicy(
            memory_limit_bytes=settings.gpu_memory_limit_bytes,
            cuda_graphs=settings.cuda_graphs,
            tensorrt_cache_dir=settings.tensorrt_cache_dir,
        ),
        limits=LoadLimits(settings.model_load_timeout_s, settings.model_memory_limit_bytes),
        known=KnownModels(settings.known_models_dir or user_cache_dir("known-models")),
    )
