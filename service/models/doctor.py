"""``convoy doctor``: reports what this machine can serve, and how to solve problems, in about ten lines."""

import platform
from collections.abc import Iterator
from pathlib import Path

from service import __version__
from service.errors import ConvoyError, ProviderUnavailableError
from service.file_name import one_line
from service.inference import Provider, choose_provider
from service.inference.driver import read_driver
from service.inference.foreign_files import import_command
from service.inference.providers import ONNX_RUNTIME_NAMES, check_usable, is_built_in
from service.inference.repository import CPU_BATCH_SIZE, GPU_BATCH_SIZE
from service.inference.runtime import onnxruntime
from service.models.repository_settings import make_repository
from service.settings import Settings
from service.workers.cores import available_cores

_GIBIBYTE = 1 << 30


def doctor(settings: Settings) -> int:
    """Prints the report.

    Args:
        settings: with which the service would be started.

    Returns:
        0 if the service could start, otherwise 1.
    """
    for topic, finding in _machine():
        print(f"{topic:12}{finding}")
    try:
        provider = choose_provider(settings.execution_provider, worker_slot=0)
    except ProviderUnavailableError as error:
        print(f"{'provider':12}none: {error}")
        return 1
    reason = f", because {provider.fallback_reason}" if provider.fallback_reason else ""
    print(f"{'provider':12}{provider.name} (execution_provider={settings.execution_provider}){reason}")
    print(f"{'settings':12}{_hint(is_gpu=provider.is_gpu, settings=settings)}")
    found, refusals, foreign = _load_models(settings, provider)
    print(f"{'models':12}{max(0, found - len(refusals))} of {found} in {settings.models_dir} can be served")
    for refusal in refusals:
        print(f"{'refused':12}{one_line(refusal)}")
    for file in foreign:
        command = import_command(file, settings.models_dir)
        print(f"{'not served':12}{one_line(f'{file}; take it in with: {command}')}")
    return 0 if found > len(refusals) else 1


def _load_models(settings: Settings, provider: Provider) -> tuple[int, list[str], tuple[Path, ...]]:
    """Loads each model as the service would; returns their number, the refusals, and files of other programs."""
    repository = make_repository(settings, provider)
    try:
        found = repository.survey()
    except OSError as error:
        return 0, [f"{settings.models_dir}: {error.strerror}"], ()
    refusals = []
    for name, version in found.files:
        try:
            repository.load(name, version).session.close()
        except ConvoyError as error:
            refusals.append(str(error))
    return len(found.files), refusals, found.foreign


def _machine() -> Iterator[tuple[str, str]]:
    yield "convoy", f"{__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    yield "cores", f"{available_cores()} that this process may use"
    providers = [name for name in ONNX_RUNTIME_NAMES if is_built_in(name)]
    built_for = f", for CUDA {onnxruntime.cuda_version}" if onnxruntime.cuda_version else ""
    yield "runtime", f"onnxruntime {onnxruntime.__version__}{built_for}, built with {', '.join(providers)}"
    try:
        driver = read_driver()
    except ProviderUnavailableError as error:
        yield "driver", str(error)
    else:
        yield "driver", f"NVIDIA, runs CUDA {'.'.join(map(str, driver.cuda_version))} and older"
        for index, gpu in enumerate(driver.gpus):
            yield f"gpu {index}", f"{gpu.name}, {gpu.memory_bytes / _GIBIBYTE:.0f} GiB"
    for name in providers:
        if name != "cpu":
            yield name, _state(name)


def _state(name: str) -> str:
    try:
        check_usable("tensorrt" if name == "tensorrt" else "cuda")
    except ProviderUnavailableError as error:
        return f"cannot be used: {error}"
    return "works: a session computed on it"


def _hint(*, is_gpu: bool, settings: Settings) -> str:
    batch = settings.max_batch_size or (GPU_BATCH_SIZE if is_gpu else CPU_BATCH_SIZE)
    now = f"workers={settings.workers}, max_batch_size={batch}"
    if settings.workers < available_cores():
        return f"{now}; --workers {available_cores()} would use every core"
    return now
