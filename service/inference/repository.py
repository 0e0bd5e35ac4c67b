"""The model repository on disk: ``<name>/<version>/model.onnx`` below one folder.

A file is served only after every check has passed; one that fails is refused by name and the others go on.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contract import ModelMetadata
from service.errors import ModelNotFoundError, ModelRefusedError, ProviderUnavailableError
from service.inference.gpu_options import GpuPolicy
from service.inference.providers import Provider
from service.inference.session import ModelSession

logger = logging.getLogger(__name__)

MODEL_FILE = "model.onnx"
CPU_BATCH_SIZE = 32
"""Most images in one run on a CPU, where nothing is gained above it (measured)."""
GPU_BATCH_SIZE = 256
"""The same on a GPU, which has thousands of cores to fill (not measured yet, see docs/gpu.md)."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checked and warmed session.

    Attributes:
        session: ready to run.
        seconds_per_image: of a run of the largest batch, measured at warm-up.
    """

    session: ModelSession
    seconds_per_image: float

    @property
    def metadata(self) -> ModelMetadata:
        """What the model says about itself."""
        return self.session.metadata


class ModelRepository:
    """Finds and loads models.

    Args:
        root: the repository's folder.
        provider: to run all models on.
        intra_op_threads: threads of one run on the CPU.
        max_batch_size: most images in one run; None takes what suits the provider.
        gpu: what one session may take of a GPU.

    Attributes:
        root: the repository's folder.
    """

    def __init__(
        self, root: Path, *, provider: Provider, intra_op_threads: int, max_batch_size: int | None, gpu: GpuPolicy
    ) -> None:
        self.root = root
        self._provider = provider
        self._intra_op_threads = intra_op_threads
        self._max_batch_size = max_batch_size
        self._gpu = gpu

    def found(self) -> Iterator[tuple[str, str]]:
        """Every (name, version) that has a model file, sorted; versions as numbers."""
        files = (path for path in self.root.glob(f"*/*/{MODEL_FILE}") if path.parent.name.isdecimal())
        for path in sorted(files, key=lambda path: (path.parent.parent.name, int(path.parent.name))):
            yield path.parent.parent.name, path.parent.name

    def fingerprints(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """What tells a file from the one that was there before: (name, version) -> inode, size and time of change."""
        prints: dict[tuple[str, str], tuple[int, ...]] = {}
        for name, version in self.found():
            try:
                status = (self.root / name / version / MODEL_FILE).stat()
            except OSError:  # gone since it was found
                continue
            prints[name, version] = (status.st_ino, status.st_size, status.st_mtime_ns)
        return prints

    def load(self, name: str, version: str) -> LoadedModel:
        """Loads, checks and warms one model.

        Args:
            name: of the model.
            version: of the model.

        Returns:
            The model, ready to answer.

        Raises:
            ModelNotFoundError: there is no such file.
            ModelRefusedError: the file fails a check.
            ProviderUnavailableError: the model cannot run on the provider, and must.
        """
        path = self.root / name / version / MODEL_FILE
        origin = f"{name}/{version}/{MODEL_FILE}"
        try:
            model = path.read_bytes()
        except OSError as error:
            raise ModelNotFoundError(f"{origin} cannot be read: {error.strerror}") from error
        session = self._open(model, origin)
        said = session.metadata.name, session.metadata.version
        if said != (name, version):
            raise ModelRefusedError(f"{origin}: the file says that it is {said[0]} version {said[1]}")
        session.check_golden_images(origin)
        return LoadedModel(session, session.warm_up())

    def _open(self, model: bytes, origin: str) -> ModelSession:
        try:
            return self._open_on(self._provider, model, origin)
        except ProviderUnavailableError as error:
            if self._provider.is_required:
                raise
            logger.warning("execution_provider=auto: serving it on the CPU, because %s", error)
            return self._open_on(Provider("cpu"), model, origin)

    def _open_on(self, provider: Provider, model: bytes, origin: str) -> ModelSession:
        return ModelSession(
            model,
            origin=origin,
            provider=provider,
            intra_op_threads=self._intra_op_threads,
            max_batch_size=self._max_batch_size or (GPU_BATCH_SIZE if provider.is_gpu else CPU_BATCH_SIZE),
            gpu=self._gpu,
        )
