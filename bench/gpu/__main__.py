"""Measures, and writes a report: ``python -m bench.gpu`` on a GPU; ``--provider cpu`` tries the bench itself.

Needs wrk, and no network except loopback. If the requested GPU cannot be used, it ends before any measurement.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.first_images import first_test_images
from bench.gpu import device, raw, served, targets
from bench.load import LoadError, require_wrk
from bench.server_process import ServerProcess
from bench.verdict import table
from service.errors import ConvoyError
from service.inference import Provider, choose_provider
from service.inference.repository import CPU_BATCH_SIZE, GPU_BATCH_SIZE
from training.data import sources


def main() -> int:
    """Runs every measurement; returns the exit status."""
    options = _options()
    try:
        require_wrk()
        provider = choose_provider(options.provider)
        options.out.mkdir(parents=True, exist_ok=True)
        report = _measure(options, provider)
    except (ConvoyError, LoadError) as error:
        print(error, file=sys.stderr)
        return 1
    (options.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (options.out / "report.md").write_text(_markdown(report))
    print(_markdown(report))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--provider", choices=("cuda", "tensorrt", "cpu"), default="cuda")
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10/1", help="name/version (default: %(default)s)")
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="the publishers' files, for parity and accuracy on the whole test set (default: its first 1,000 images)",
    )
    parser.add_argument("--workers", type=int, default=1, help="of the service (default: %(default)s)")
    parser.add_argument("--max-batch-size", type=int, help="(default: 256 on a GPU, 32 on a CPU)")
    parser.add_argument("--images", type=int, default=1024, help="in a bulk request (default: %(default)s)")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/bench-gpu"), help="(default: %(default)s)")
    return parser.parse_args()


def _measure(options: argparse.Namespace, provider: Provider) -> dict[str, Any]:
    name, version = options.model.split("/")
    batch = options.max_batch_size or (GPU_BATCH_SIZE if provider.is_gpu else CPU_BATCH_SIZE)
    session = raw.open_session(options.models_dir, name, version, provider, batch)
    on_cpu = raw.open_session(options.models_dir, name, version, Provider("cpu"), CPU_BATCH_SIZE)
    report: dict[str, Any] = {
        "machine": device.describe(),
        "command": " ".join(["python -m bench.gpu", *sys.argv[1:]]),
        "provider": session.provider,
        "parity": asdict(raw.parity(session, on_cpu, *_test_images(options, name))),
    }
    with device.watching() as gpu:
        report["raw"] = [asdict(speed) for speed in raw.speeds(options.models_dir, session, provider, options.seconds)]
    report["raw_gpu"] = gpu
    shape = session.metadata.input_shape
    report["one_image_ms"] = 1e3 / report["raw"][0]["copied"]
    del session, on_cpu  # so that the service can use their GPU memory
    flags = ["--models-dir", str(options.models_dir.resolve()), "--execution-provider", provider.name]
    flags += ["--max-batch-size", str(batch), "--queue-capacity", str(max(2048, 4 * options.images))]
    flags += ["--max-images-per-request", str(options.images)]
    for module, workers in (("service", options.workers), ("bench.gpu.constant_service", 1)):
        log = options.out / f"{module}.log"
        with (
            ServerProcess(log, *flags, "--workers", str(workers), module=module) as process,
            device.watching() as gpu,
        ):
            report[module] = [
                asdict(load) for load in _loads(options, process, f"/models/{name}/versions/{version}", shape)
            ]
        report[f"{module}_gpu"] = gpu
    return report


def _test_images(options: argparse.Namespace, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    if options.data_dir is None:
        return first_test_images(name), None
    test = sources.load(name, options.data_dir, sources.OwnPictures()).test
    return test.pixels, test.classes


def _loads(
    options: argparse.Namespace, server: ServerProcess, model: str, shape: tuple[int, int, int]
) -> list[served.Load]:
    path, seconds, picture = f"{model}/predict", options.seconds, served.png(shape)
    loads = [
        served.load(server, path, picture, "image/png", what="PNG", images=1, concurrency=count, seconds=seconds)
        for count in options.concurrency
    ]
    bulk = served.npy(shape, options.images)
    concurrency = max(2, 2 * options.workers)
    loads.append(
        served.load(
            server,
            path,
            bulk,
            "application/x-npy",
            what=f"{options.images} images",
            images=options.images,
            concurrency=concurrency,
            seconds=seconds,
        )
    )
    return loads


def _markdown(report: dict[str, Any]) -> str:
    lines = [f"# {report['provider']}", "", f"`{report['command']}`", ""]
    lines += [f"- {key}: {value}" for key, value in report["machine"].items()]
    parity = report["parity"]
    alike = f"same class {parity['same_class']:.2%} of {parity['images']:,} test images"
    lines += [
        f"- parity with the CPU: largest difference {parity['largest_difference']:.1e}, {alike}",
        "",
        table(targets.verdicts(report)),
        "",
        "## The session alone, images/s",
        "",
        "| batch | on the device | with copies | overlapped |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['batch_size']} | {row['resident']:,.0f} | {row['copied']:,.0f} | {row['overlapped']:,.0f} |"
        for row in report["raw"]
    ]
    for module, title in (("service", "The service"), ("bench.gpu.constant_service", "The same without inference")):
        lines += ["", f"## {title}", "", "| request | connections | requests/s | images/s | p50 ms | p99 ms | errors |"]
        lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
        lines += [
            f"| {row['what']} | {row['concurrency']} | {row['requests_per_s']:,.0f} | {row['images_per_s']:,.0f} "
            f"| {row['p50_ms']:.2f} | {row['p99_ms']:.2f} | {row['errors']} |"
            for row in report[module]
        ]
        gpu = report[f"{module}_gpu"]
        if gpu:
            lines += ["", f"GPU {gpu['utilisation_percent']:.0f} % busy, {gpu['memory_mib']:,.0f} MiB at most."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
