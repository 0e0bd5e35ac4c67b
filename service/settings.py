"""Every setting of the service; :mod:`service.settings_reader` reads them once at start.

Nothing else in the service reads the environment: a part gets what it needs as a plain argument.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict

from service.environment import PREFIX, is_setting
from service.hosting import check_route
from service.http.addresses import check_addresses, check_prefix
from service.setting_values import check_alias, check_origin, check_path, split_list

MEBIBYTE = 1 << 20

ExecutionProviderChoice = Literal["auto", "cpu", "cuda", "tensorrt"]
DialectName = Literal["huggingface", "sagemaker", "tfserving", "torchserve", "vertex"]
LogFormat = Literal["auto", "json", "text"]
Origin = Annotated[str, AfterValidator(check_origin)]
OptionalPath = Annotated[Path | None, BeforeValidator(check_path)]


def user_cache_dir(name: str) -> Path | None:
    """Returns a folder for data that can be made again, such as a cache; None where the user has no home folder.

    Source: XDG Base Directory Specification, https://specifications.freedesktop.org/basedir-spec/latest/.
    """
    set_by_user = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        base = set_by_user if set_by_user.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "convoy" / name


class Settings(BaseSettings):
    """How the service runs. Each field is a flag (``--max-batch-size``) and a variable (``CONVOY_MAX_BATCH_SIZE``)."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        cli_kebab_case=True,
        cli_prog_name="convoy serve",
        frozen=True,
        extra="forbid",
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 is every interface.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8000, description="TCP port; 0 takes a free port and prints it."
    )
    port_variable: str | None = Field(
        None,
        description="A variable that holds the port where neither --port nor CONVOY_PORT is given; PORT in the image.",
    )
    share_port: bool = Field(
        False, description="Let a second service listen on the same port, for restarts without downtime."
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="Processes that share the port. On a CPU, one per core gives the highest throughput."
    )

    grpc_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, description="TCP port of the Open Inference Protocol over gRPC; 0 takes a free port. Not set: no gRPC."
    )
    root_path: Annotated[str, AfterValidator(check_prefix)] = Field(
        "", description="Prefix under which a proxy publishes the service, such as /classify; the proxy may strip it."
    )
    forwarded_allow_ips: Annotated[str, AfterValidator(check_addresses)] = Field(
        "127.0.0.1,::1",
        description="Proxies whose X-Forwarded-For, -Host, -Proto and -Prefix count: addresses, networks; * is any.",
    )
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(split_list)] = Field(
        (), description="Origins whose web pages may call the service, such as https://example.org:8443; * is any."
    )

    dialects: Annotated[tuple[DialectName, ...], NoDecode, BeforeValidator(split_list)] = Field(
        (), description="APIs of other servers and hosts that are answered too; docs/dialects.md lists their names."
    )
    vertex_health_route: Annotated[str, AfterValidator(check_route)] = Field(
        "/vertex/health",
        description="Where the dialect vertex answers health checks; AIP_HEALTH_ROUTE sets it on Vertex AI.",
    )
    vertex_predict_route: Annotated[str, AfterValidator(check_route)] = Field(
        "/vertex/predict", description="Where the dialect vertex classifies; AIP_PREDICT_ROUTE sets it on Vertex AI."
    )

    models_dir: Path = Field(
        Path("models"), description="The model repository: <name>/<version>/model.onnx below this folder."
    )
    default_model: str | None = Field(
        None,
        description="The model that answers where none is named. Not set: the only one found at the start, or "
        "cifar10 of several.",
    )

    model_alias: Annotated[str, AfterValidator(check_alias)] | None = Field(
        None,
        description="A second name of the default model; KServe chooses such a name. A model that has this name itself "
        "answers under it.",
    )

    model_control: bool = Field(
        False, description="Let requests load and unload models: POST /v2/repository/models/{name}/load and unload."
    )
    load_at_start: Literal["defaults", "all"] = Field(
        "defaults",
        description="defaults: load the default version of each model at start, and any other version "
        "at its first request, which waits; all: load all versions at start.",
    )
    watch_interval_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        0.0, description="How often to look for new, changed and removed model files, in seconds; 0: never."
    )

    model_load_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        120.0, description="Most seconds that loading one model, and running one batch of it, may take."
    )
    model_memory_limit_bytes: Annotated[int, Field(ge=64 * MEBIBYTE)] = Field(
        4096 * MEBIBYTE, description="Most memory that a new model file may take in the process that tests it."
    )
    known_models_dir: OptionalPath = Field(
        None, description="Folder of the list of tested model files. Not set: below ~/.cache or XDG_CACHE_HOME."
    )

    execution_provider: ExecutionProviderChoice = Field(
        "auto",
        description="auto uses the GPU if it works, else the CPU; cuda and tensorrt fail at start if it does not.",
    )
    intra_op_threads: Annotated[int, Field(ge=0, le=256)] = Field(
        0,
        description="ONNX Runtime threads for one run; 0: the cores divided by the workers, at most 4; less one for "
        "models whose runs of one image take at most 5 ms.",
    )

    gpu_memory_limit_bytes: Annotated[int, Field(ge=64 * MEBIBYTE)] = Field(
        1024 * MEBIBYTE,
        description="Most GPU memory of one session. On a GPU, a model has two sessions in each worker.",
    )
    cuda_graphs: bool = Field(
        True,
        description="Run each batch size on the GPU as one captured CUDA graph. Turn it off to debug.",
    )

    tensorrt_cache_dir: OptionalPath = Field(
        None,
        description="Folder in which TensorRT keeps its engines for the next start. Not set: every start builds them.",
    )

    max_batch_size: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        None,
        description="Most images in one run. Not set: 256 on a GPU; up to 32 on a CPU, as measured for each model.",
    )
    max_queue_delay_us: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0,
        description="How long a batch may wait for further images. 0: a free session takes all waiting images at once.",
    )
    queue_capacity: Annotated[int, Field(ge=1)] = Field(
        2048, description="Most images of one model that wait or run; more are refused with 503 and Retry-After."
    )
    request_timeout_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        10.0,
        description="Time limit of a request, its body included; then the answer is 504. Clients may ask for less.",
    )
    keep_alive_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        75.0,
        description="How long a connection may be idle before it is closed. Set it longer than the keep-alive "
        "time of a proxy in front.",
    )
    write_timeout_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        30.0,
        description="How long a client may take to read each MiB of its answer, or the last part of one; then the "
        "connection is closed.",
    )
    drain_delay_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        0.0,
        description="After SIGTERM: how long to go on accepting requests, until load balancers have noticed.",
    )
    drain_timeout_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        20.0, description="After SIGTERM and that delay: how long accepted requests may take to finish."
    )

    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        32 * MEBIBYTE, description="Longest request body, also after decompression; longer ones get 413."
    )
    max_body_bytes_in_flight: Annotated[int, Field(ge=1024)] = Field(
        256 * MEBIBYTE,
        description="Most bytes that a worker's requests hold at once: bodies from 16 KiB on, decoded pictures, "
        "unsent answers. More get 503.",
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        4096,
        description="Most connections that a worker serves at once. A new one replaces an idle one; where all are "
        "busy, it gets 503.",
    )
    max_grpc_calls: Annotated[int, Field(ge=1)] = Field(
        1024, description="Most gRPC calls that a worker answers at once; more get RESOURCE_EXHAUSTED."
    )
    max_pixels: Annotated[int, Field(ge=1)] = Field(
        25_000_000, description="Most pixels (width x height) of one picture, checked before decoding."
    )
    max_reducible_pixels: Annotated[int, Field(ge=1)] = Field(
        52_000_000,
        description="Most pixels of a baseline JPEG whose reduced size, at which it is decoded, is within max_pixels.",
    )
    max_images_per_request: Annotated[int, Field(ge=1)] = Field(1024, description="Most images in one request.")

    keys_file: OptionalPath = Field(
        None,
        description="File of API keys, as made by `convoy keys new`. With it, all but health and docs needs a key.",
    )

    page: bool = Field(True, description="Serve the page at /, where people try the models in a browser.")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )
    log_format: LogFormat = Field(
        "auto", description="json: one object per line; text: for people; auto: text on a terminal, else json."
    )
    tracing: bool = Field(
        False, description="Send OpenTelemetry traces (extra `tracing`), configured by the standard OTEL_* variables."
    )
    access_log: bool = Field(False, description="Log one line for each request, with its stage times, at level info.")

    @classmethod
    def settings_customise_sources(cls, settings_cls: type[BaseSettings], *sources: Any, **named: Any) -> Any:
        """Leaves out variables that are empty and those that Kubernetes sets."""
        environment = named["env_settings"]
        if isinstance(environment, EnvSettingsSource):
            environment.env_vars = {
                name: value for name, value in environment.env_vars.items() if value is None or is_setting(name, value)
            }
        return super().settings_customise_sources(settings_cls, *sources, **named)

    @model_validator(mode="after")
    def _one_body_fits(self) -> Self:
        if self.max_body_bytes > self.max_body_bytes_in_flight:
            raise ValueError(
                f"max_body_bytes ({self.max_body_bytes}) is larger than "
                f"max_body_bytes_in_flight ({self.max_body_bytes_in_flight}): such a body could never be accepted"
            )
        return self

    @model_validator(mode="after")
    def _one_request_fits_the_queue(self) -> Self:
        if self.max_images_per_request > self.queue_capacity:
            raise ValueError(
                f"max_images_per_request ({self.max_images_per_request}) is larger than "
                f"queue_capacity ({self.queue_capacity}): such a request could never be accepted"
            )
        return self

    @model_validator(mode="after")
    def _control_needs_keys(self) -> Self:
        if self.model_control and self.keys_file is None:
            raise ValueError(
                "model_control needs keys_file: without keys, any web page in a local browser could control models; "
                "make a key with `convoy keys new --name NAME --scope control`"
            )
        return self

    @model_validator(mode="after")
    def _control_reaches_every_worker(self) -> Self:
        if self.model_control and self.workers > 1:
            raise ValueError(
                f"model_control needs workers = 1, not {self.workers}: a request reaches one worker only; "
                "watch_interval_s works with any number"
            )
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.port and self.port == self.grpc_port:
            raise ValueError(f"grpc_port must differ from port: both are {self.port}")
        return self
