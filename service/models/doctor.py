"""``convoy doctor``: reports what this machine can serve, and how to solve problems, in about ten lines."""

import platform
from collections.abc import Iterable, Iterator

from service import __version__
from service.errors import ConvoyError, ProviderUnavailableError
from service.file_name import one_line
from service.http.body_budget import BodyBudget
from service.http_app import HttpApp
from service.inference import ModelKey, Provider, Survey, choose_provider
from service.inference.driver import read_driver
from service.inference.providers import ONNX_RUNTIME_NAMES, check_usable, is_built_in
from service.inference.repository import CPU_BATCH_SIZE, GPU_BATCH_SIZE
from service.inference.runtime import onnxruntime
from service.limits import RequestLimits
from service.models.catalog import ModelCatalog
from service.models.repository_settings import make_repository
from service.optional_parts import check_grpc, make_access, make_tracing
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.workers.cores import available_cores

_GIBIBYTE = 1 << 30


def doctor(settings: Settings, remarks: Iterable[str]) -> int:
    """Prints the report. It does not try the ports and the limit of open files.

    Args:
        settings: with which the service would be started.
        remarks: about variables of the environment, one line each.

    Returns:
        0 if the service could start, otherwise 1.
    """
    faults = [*_faults(settings)]
    for topic, finding in _machine():
        print(f"{topic:12}{finding}")
    for remark in remarks:
        print(f"{'remark':12}{one_line(remark)}")
    for fault in faults:
        print(f"{'fault':12}{one_line(fault)}")
    try:
        provider = choose_provider(settings.execution_provider, worker_slot=0)
    except ProviderUnavailableError as error:
        print(f"{'provider':12}none: {error}")
        return 1
    reason = f", because {provider.fallback_reason}" if provider.fallback_reason else ""
    print(f"{'provider':12}{provider.name} (execution_provider={settings.execution_provider}){reason}")
    print(f"{'settings':12}{_hint(is_gpu=provider.is_gpu, settings=settings)}")
    found, loaded, refusals = _load_models(settings, provider)
    print(f"{'models':12}{len(loaded)} of {len(found.files)} in {settings.models_dir} can be served")
    for refusal in refusals:
        print(f"{'refused':12}{one_line(refusal)}")
    for said in found.unused(settings.models_dir).values():
        print(f"{'not served':12}{one_line(said)}")
    if remark := _remark_on_alias(settings, found, loaded):
        print(f"{'remark':12}{remark}")
    if loaded and (fault := _fault_of_default(settings.default_model, found, loaded)):
        faults.append(fault)
        print(f"{'fault':12}{one_line(fault)}")
    return int(bool(faults) or not loaded)


def _faults(settings: Settings) -> Iterator[str]:
    """Why the service could not start, as far as neither the models nor the provider are the reason."""
    for make in (make_access, make_tracing, check_grpc, _make_app):
        try:
            make(settings)
        except ConvoyError as error:
            yield str(error)


def _make_app(settings: Settings) -> HttpApp:
    limits = RequestLimits(settings.max_body_bytes, settings.max_images_per_request, settings.request_timeout_s)
    budget = BodyBudget(settings.max_body_bytes_in_flight)
    metrics = Metrics(version=__version__, workers=settings.workers)
    return HttpApp(settings, limits, budget, metrics, access=None, tracing=None)


def _fault_of_default(name: str | None, found: Survey, loaded: list[ModelKey]) -> str:
    """Why the default model of the settings does not answer; empty where it does, or where none is set."""
    if name is None:
        return ""
    versions = [version for model, version in loaded if model == name]
    if not versions:
        return f"default_model is {name!r}, which is not served; served: {', '.join(sorted(dict(loaded)))}"
    version = found.default_versions.get(name, versions[-1])
    return "" if version in versions else f"default_model is {name!r}, but its default version {version} is not served"


def _remark_on_alias(settings: Settings, found: Survey, loaded: list[ModelKey]) -> str:
    """Why the alias of the settings does not name the default model; empty where it does, or where none is set."""
    catalog = ModelCatalog(settings.default_model, settings.model_alias)
    catalog.choose_default(name for name, _ in found.files)
    return catalog.fault_of_alias(dict(loaded))


def _load_models(settings: Settings, provider: Provider) -> tuple[Survey, list[ModelKey], list[str]]:
    """Loads each model as the service would; returns what there is, what can be loaded, and the refusals."""
    repository = make_repository(settings, provider)
    try:
        found = repository.survey()
    except OSError as error:
        return Survey({}, {}), [], [f"{settings.models_dir}: {error.strerror}"]
    loaded, refusals = [], []
    for name, version in found.files:
        try:
            repository.load(name, version).session.close()
        except ConvoyError as error:
            refusals.append(str(error))
        else:
            loaded.append((name, version))
    return found, loaded, refusals


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
