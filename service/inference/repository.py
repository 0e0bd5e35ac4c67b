"""The model repository: checks the files in it, and loads them as models.

::

    file ─ examine ─> bytes ─ known? ─ no ─> tried in a child process ─ refused: an error; other models are loaded
                                └─ yes ──────────────┬─> open: session, golden images, warm-up ─> LoadedModel
                                                     └─> describe: metadata only ───────────────> KnownModel
"""

import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from contract import (
    NAME_RULE,
    VERSION_RULE,
    ContractError,
    ModelMetadata,
    NoMetadataError,
    is_model_name,
    is_version,
)
from network.graph import GraphError, read_metadata
from service.errors import ConvoyError, ModelLoadFailedError, ModelRefusedError, ProviderUnavailableError
from service.inference.foreign_files import import_command
from service.inference.gpu_options import GpuPolicy
from service.inference.inspection import ModelSource
from service.inference.known_models import KnownModels, Outcome, fingerprint
from service.inference.model_check import check_answers
from service.inference.providers import Provider
from service.inference.repository_files import MODEL_FILE, ModelKey, Survey, model_path, read_model, survey
from service.inference.runtime import onnxruntime
from service.inference.session import ModelSession
from service.inference.trial import DEFAULT_LIMITS, LoadLimits, TrialImpossibleError, try_out

logger = logging.getLogger(__name__)

CPU_BATCH_SIZE: Final = 32
"""Most images in one run on a CPU; more do not help (measured). Large models have fewer."""
GPU_BATCH_SIZE: Final = 256
"""The same on a GPU, which has thousands of cores to fill (not measured yet, see docs/gpu.md)."""
LONG_RUN_S: Final = 5e-3
"""A longer run of one image gets one more thread: the request gains more than decoding loses by it."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that may be opened.

    Attributes:
        name: of the model, from its folder.
        version: of the model, from its folder.
        content: of the file.
        has_passed: whether it has passed its trial; then only the execution provider can still refuse it.
    """

    name: str
    version: str
    content: bytes
    has_passed: bool

    @property
    def origin(self) -> str:
        """Names the file in messages."""
        return f"{self.name}/{self.version}/{MODEL_FILE}"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model whose file has passed its trial and is not opened yet.

    Attributes:
        metadata: of the file.
        source: the file.
        provider: the execution provider on which it will be opened.
    """

    metadata: ModelMetadata
    source: ModelSource
    provider: str


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checked and warmed session.

    Attributes:
        session: ready to run.
        seconds_per_image: of a run of the largest batch, measured at warm-up.
        source: the file that it was loaded from.
    """

    session: ModelSession
    seconds_per_image: float
    source: ModelSource

    @property
    def metadata(self) -> ModelMetadata:
        """The metadata of the model's file."""
        return self.session.metadata

    @property
    def provider(self) -> str:
        """The execution provider that it runs on."""
        return self.session.provider


class ModelRepository:
    """Finds and loads models. Its methods block, and may be called in any thread.

    Args:
        root: the repository's folder.
        provider: to run all models on.
        intra_op_threads: threads of one run on the CPU.
        long_run_threads: the same for models whose runs of one image take more than 5 ms; None: the same number.
        max_batch_size: most images in one run; None: the best number for the provider and the model.
        gpu: how much of a GPU one session may use.
        limits: of loading one model.
        known: the files that need no trial; None: no file is tried, so a bad file can end or block this process.

    Attributes:
        root: the repository's folder.
        limits: of loading one model.
    """

    def __init__(
        self,
        root: Path,
        *,
        provider: Provider,
        intra_op_threads: int,
        max_batch_size: int | None,
        gpu: GpuPolicy,
        limits: LoadLimits = DEFAULT_LIMITS,
        known: KnownModels | None = None,
        long_run_threads: int | None = None,
    ) -> None:
        self.root = root
        self.limits = limits
        self._provider = provider
        self._intra_op_threads = intra_op_threads
        self._long_run_threads = long_run_threads or intra_op_threads
        self._max_batch_size = max_batch_size or (GPU_BATCH_SIZE if provider.is_gpu else CPU_BATCH_SIZE)
        self._cpu_batch_size = max_batch_size or CPU_BATCH_SIZE
        self._fits_batch_size = max_batch_size is None
        self._gpu = gpu
        self._known = known
        self._refused: dict[ModelKey, tuple[str, str]] = {}

    def survey(self) -> Survey:
        """Lists this repository; see :func:`service.inference.repository_files.survey`."""
        found = survey(self.root)
        for removed in self._refused.keys() - found.files.keys():
            self._refused.pop(removed, None)
        return found

    def load(self, name: str, version: str) -> LoadedModel:
        """Examines and opens one model; raises the errors of these two methods."""
        return self.open(self.examine(name, version))

    def examine(self, name: str, version: str) -> ModelFile:
        """Reads a model's file, and tries it in a child process unless it has passed a trial before.

        Raises:
            ModelNotFoundError: there is no such file.
            ModelRefusedError: it may not be loaded.
        """
        origin = f"{name}/{version}/{MODEL_FILE}"
        if not is_model_name(name):
            raise ModelRefusedError(f"{origin}: {name!a} cannot be a model's name; {NAME_RULE} can be")
        if not is_version(version):
            raise ModelRefusedError(f"{origin}: {version!a} cannot be a version; {VERSION_RULE} can be")
        content = read_model(model_path(self.root, name, version), origin, self.limits.memory_bytes)
        file = ModelFile(name, version, content, has_passed=False)
        if self._known is None:
            return file
        try:
            return replace(file, has_passed=self._try(file, self._known))
        except ModelRefusedError as error:
            raise self._explained(file, error) from None

    def describe(self, file: ModelFile) -> KnownModel:
        """Reads the metadata of a file that has passed its trial, without making a session.

        Raises:
            ModelRefusedError: its metadata has another name or version.
        """
        try:
            metadata = ModelMetadata.from_props(read_metadata(file.content))
        except (ContractError, GraphError) as error:
            raise ModelRefusedError(f"{file.origin}: {error}") from error
        self._check_name(file, metadata)
        return KnownModel(metadata, self._source(file), self._provider.name)

    def open(self, file: ModelFile) -> LoadedModel:
        """Makes a session of a file, checks it and warms it up.

        Raises:
            ModelRefusedError: the file fails a check.
            ProviderUnavailableError: the model cannot run on the provider, which is required.
        """
        try:
            return self._open_checked(file)
        except ModelRefusedError as error:
            raise self._explained(file, error) from error
        except ConvoyError:
            raise
        except MemoryError as error:
            raise ModelLoadFailedError(f"{file.origin}: there is not enough memory to load it") from error
        except Exception as error:
            logger.exception("%s: loading it failed with an unexpected error", file.origin)
            raise ModelRefusedError(f"{file.origin}: it cannot be loaded; the service's log says why") from error

    def _explained(self, file: ModelFile, error: ModelRefusedError) -> ModelRefusedError:
        """Adds the import command to the error, if another program made the file."""
        if NoMetadataError.MESSAGE not in str(error):
            return error
        path = self.root / file.name / file.version / MODEL_FILE
        return ModelRefusedError(
            f"{error}. Take it in with: {import_command(path, self.root, file.name, file.version)}"
        )

    def _open_checked(self, file: ModelFile) -> LoadedModel:
        session = self._open(file.content, file.origin)
        self._check_name(file, session.metadata)
        check_answers(session, file.origin)
        return LoadedModel(session, session.warm_up(), self._source(file))

    def _source(self, file: ModelFile) -> ModelSource:
        return ModelSource.of(model_path(self.root, file.name, file.version), file.content)

    @staticmethod
    def _check_name(file: ModelFile, metadata: ModelMetadata) -> None:
        if (metadata.name, metadata.version) != (file.name, file.version):
            raise ModelRefusedError(
                f"{file.origin}: the file says that it is {metadata.name} version {metadata.version}"
            )

    def _try(self, file: ModelFile, known: KnownModels) -> bool:
        """Tries a file; returns True if it has passed, False if no trial is possible."""
        key, batch_size = (file.name, file.version), self._max_batch_size
        name = fingerprint(file.content, onnxruntime.__version__, batch_size)
        if name in known:
            return True
        if key in self._refused and self._refused[key][0] == name:
            raise ModelRefusedError(f"{file.origin}: {self._refused[key][1]}")

        def try_it() -> Outcome:
            return try_out(
                file.content,
                intra_op_threads=self._intra_op_threads,
                max_batch_size=batch_size,
                limits=self.limits,
            )

        try:
            outcome = known.outcome(name, str(self.limits), try_it)
        except TrialImpossibleError as error:
            logger.warning("%s is loaded without a trial in a child process: %s", file.origin, error)
            return False
        if outcome.may_pass:
            raise ModelLoadFailedError(f"{file.origin}: {outcome.refusal}")
        if outcome.refusal:
            self._refused[key] = name, outcome.refusal
            raise ModelRefusedError(f"{file.origin}: {outcome.refusal}")
        return True

    def _open(self, model: bytes, origin: str) -> ModelSession:
        try:
            return self._open_on(self._provider, model, origin, self._max_batch_size)
        except ProviderUnavailableError as error:
            if self._provider.is_required:
                raise
            logger.warning("execution_provider=auto: serving it on the CPU, because %s", error)
            return self._open_on(Provider("cpu"), model, origin, self._cpu_batch_size)

    def _open_on(self, provider: Provider, model: bytes, origin: str, max_batch_size: int) -> ModelSession:
        make = partial(
            ModelSession, model, origin=origin, provider=provider, max_batch_size=max_batch_size, gpu=self._gpu
        )
        session = make(intra_op_threads=self._intra_op_threads)
        if (
            not provider.is_gpu
            and self._long_run_threads > self._intra_op_threads
            and session.seconds_of(1) > LONG_RUN_S
        ):
            session.close()
            session = make(intra_op_threads=self._long_run_threads)
        if self._fits_batch_size and not provider.is_gpu:
            session.fit_batch_size()
        return session
