"""Every setting of the service, read once at start from flags and ``CONVOY_*`` environment variables.

Flags win over the environment, the environment over ``.env``-less defaults. Nothing else in the service reads the
environment: what a part needs reaches it as a plain argument.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.http.addresses import check_addresses, check_prefix

MEBIBYTE = 1 << 20

ExecutionProviderChoice = Literal["auto", "cpu", "cuda", "tensorrt"]
LogFormat = Literal["auto", "json", "text"]


def user_cache_dir(name: str) -> Path | None:
    """A folder of this service for data that can be had again; None where the user has no home.

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
        env_prefix="CONVOY_",
        cli_kebab_case=True,
        cli_prog_name="python -m service",
        frozen=True,
        extra="forbid",
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="TCP port; 0 takes a free one and prints it.")
    share_port: bool = Field(
        False, description="Let a second service listen on the same port, so that a restart leaves no gap."
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="Processes that share the port. On a CPU, one a core serves most."
    )

    grpc_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, description="TCP port of the Open Inference Protocol over gRPC; 0 takes a free one; off where not set."
    )
    root_path: Annotated[str, AfterValidator(check_prefix)] = Field(
        "", description="Prefix under which a proxy publishes the service, such as /classify; the proxy may strip it."
    )
    forwarded_allow_ips: Annotated[str, AfterValidator(check_addresses)] = Field(
        "127.0.0.1,::1",
        description="Proxies whose X-Forwarded-For, -Host, -Proto and -Prefix count: addresses, networks; * is any.",
    )
    cors_origins: tuple[str, ...] = Field(
        (), description="Origins whose web pages may call the service, such as https://example.org; * is any."
    )

    models_dir: Path = Field(
        Path("models"), description="The model repository: <name>/<version>/model.onnx below this folder."
    )
    default_model: str | None = Field(
        None,
        description="The model that answers where none is named. Not set: the only one, or cifar10 if it is there.",
    )

    model_control: bool = Field(
        False, description="Let requests load and unload models: POST /v2/repository/models/{name}/load and unload."
    )
    watch_interval_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        0.0, description="How often to look for model files that came, changed or went, in seconds; 0: never."
    )

    model_load_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        120.0, description="Most seconds that loading one model, and running one batch of it, may take."
    )
    model_memory_limit_bytes: Annotated[int, Field(ge=64 * MEBIBYTE)] = Field(
        4096 * MEBIBYTE, description="Most memory that this may take in the process in which a new file is tried."
    )
    known_models_dir: Path | None = Field(
        None, description="Where it is kept which model files have passed. Not set: below ~/.cache or XDG_CACHE_HOME."
    )

    execution_provider: ExecutionProviderChoice = Field(
        "auto", description="auto takes the GPU where one works; cuda and tensorrt fail at start where it does not."
    )
    intra_op_threads: Annotated[int, Field(ge=0, le=256)] = Field(
        0, description="ONNX Runtime threads for one run; 0: the cores that the workers leave each other."
    )

    gpu_memory_limit_bytes: Annotated[int, Field(ge=64 * MEBIBYTE)] = Field(
        1024 * MEBIBYTE, description="Most GPU memory of one session. A model has two in each worker on a GPU."
    )
    cuda_graphs: bool = Field(
        True, description="Replay each batch size's work on the GPU as one captured graph; off to look for faults."
    )

    tensorrt_cache_dir: Path | None = Field(
        None, description="Where TensorRT keeps its engines for the next start. Not set: they are built at every start."
    )

    max_batch_size: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        None, description="Most images in one run. Not set: 32 on a CPU, where more gain nothing; 256 on a GPU."
    )
    max_queue_delay_us: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="How long a batch may wait for company. 0: whoever waits when the session is free goes."
    )
    queue_capacity: Annotated[int, Field(ge=1)] = Field(
        2048, description="Images of one model that may wait; more are refused with 503 and Retry-After."
    )
    request_timeout_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        10.0, description="Time limit of a request, body included; then 504. Clients may ask for less."
    )
    drain_delay_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        0.0, description="After SIGTERM: how long to go on accepting while load balancers see that it is not ready."
    )
    drain_timeout_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        20.0, description="After SIGTERM: how long accepted requests may take to finish."
    )

    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        32 * MEBIBYTE, description="Longest request body, also after decompression; longer ones get 413."
    )
    max_body_bytes_in_flight: Annotated[int, Field(ge=1024)] = Field(
        256 * MEBIBYTE,
        description="Bytes of request bodies that a worker holds at once, small ones not counted; more get 503.",
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        4096, description="Connections that a worker serves at once; requests on further ones get 503."
    )
    max_grpc_calls: Annotated[int, Field(ge=1)] = Field(
        1024, description="Calls over gRPC that a worker answers at once; further ones get RESOURCE_EXHAUSTED."
    )
    max_pixels: Annotated[int, Field(ge=1)] = Field(
        25_000_000, description="Most pixels (width x height) of one picture, checked before decoding."
    )
    max_reducible_pixels: Annotated[int, Field(ge=1)] = Field(
        52_000_000,
        description="The same of a baseline JPEG that is decoded at a reduced size, itself within max_pixels.",
    )
    max_images_per_request: Annotated[int, Field(ge=1)] = Field(1024, description="Most images in one request.")

    keys_file: Path | None = Field(
        None,
        description="File of API keys, as `python -m service keys new` makes; with it, no one gets in without a key.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe line logged.")
    log_format: LogFormat = Field(
        "auto", description="json: a line an event; text: for people; auto: text on a terminal."
    )
    tracing: bool = Field(
        False, description="Send OpenTelemetry traces (extra `tracing`), set up by the standard OTEL_* variables."
    )
    access_log: bool = Field(False, description="Log a line a request, with its stage times.")

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
                "model_control needs keys_file: any page in a browser here could ask too; "
                "make a key with `python -m service keys new --scope control`"
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
