"""The Open Inference Protocol as plain methods, which REST and gRPC call.

Each answer is a JSON document of the protocol; gRPC converts it to a message.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from service.classifier import Classification, Classifier
from service.errors import MalformedRequestError, ModelControlOffError
from service.limits import RequestLimits
from service.models.catalog import ServedModel
from service.models.model_loader import ModelLoader
from service.open_inference.description import (
    configure_model,
    count_requests,
    describe_model,
    describe_server,
    list_repository,
)
from service.open_inference.inference import InferRequest, infer
from service.open_inference.tensors import OutputTensor
from service.pool_threads import run_in_pool
from service.telemetry.metrics import Metrics

Document = dict[str, Any]


class DataPlane:
    """Answers the protocol's requests. If no version is given, the model's default version is used.

    Args:
        classifier: shared with every other protocol.
        loader: loads and unloads models.
        metrics: counts requests.
        drain: set once the process is told to stop.
        version: of the service.
        limits: of a request.
        model_control: whether requests may load and unload models.
    """

    def __init__(
        self,
        classifier: Classifier,
        loader: ModelLoader,
        metrics: Metrics,
        drain: asyncio.Event,
        *,
        version: str,
        limits: RequestLimits,
        model_control: bool,
    ) -> None:
        self._classifier = classifier
        self._loader = loader
        self._metrics = metrics
        self._drain = drain
        self._version = version
        self._limits = limits
        self._model_control = model_control

    def is_ready(self) -> bool:
        """Whether the service accepts requests: until the process is told to stop."""
        return not self._drain.is_set()

    def find(self, name: str, version: str | None = None) -> ServedModel:
        """Finds a served model.

        Raises:
            ModelNotFoundError: it is not served.
        """
        return self._classifier.catalog.find(name, version)

    def is_model_ready(self, model: ServedModel) -> bool:
        """Whether a served model answers; false if it could not be opened at the last attempt."""
        return self._loader.is_ready(model)

    def describe_server(self) -> Document:
        """Name, version and the supported extensions of the protocol."""
        return describe_server(self._version)

    def describe(self, name: str, version: str | None = None) -> Document:
        """Inputs and outputs of a model, and which versions answer.

        Raises:
            ModelNotFoundError: it does not answer.
        """
        return describe_model(self.find(name, version), self._classifier.catalog.versions(name))

    def configure(self, name: str, version: str | None = None) -> Document:
        """How a model is served, in the terms of the model configuration extension.

        Raises:
            ModelNotFoundError: it does not answer.
        """
        return configure_model(self.find(name, version), self._limits.max_images)

    async def count(self, name: str | None = None, version: str | None = None) -> Document:
        """Counts and times since the process started: of all models, of a model's versions, or of one version.

        Raises:
            MalformedRequestError: a version without a name.
            ModelNotFoundError: it does not answer.
            OverloadedError: no thread can be started for it.
        """
        catalog = self._classifier.catalog
        if name is None and version is not None:
            raise MalformedRequestError("a version is asked for without the name of its model; send both, or neither")
        if name is None:
            models = list(catalog)
        else:
            models = catalog.versions(name) if version is None else [self.find(name, version)]
        self._metrics.fold()
        # In a thread, since the files of every worker are read, under a lock.
        return await run_in_pool(lambda: count_requests(models, self._metrics))

    async def infer(
        self, model: ServedModel, request: InferRequest, *, deadline: float, is_abandoned: Callable[[], bool]
    ) -> tuple[Classification, list[OutputTensor]]:
        """Classifies pictures; see :func:`service.open_inference.inference.infer`."""
        return await infer(
            self._classifier,
            model,
            request,
            max_images=self._limits.max_images,
            deadline=deadline,
            is_abandoned=is_abandoned,
        )

    async def index(self, *, only_ready: bool) -> list[Document]:
        """Every version that is served or in the repository, with the reason if it is not served."""
        return list_repository(await self._loader.index(), only_ready=only_ready)

    async def load(self, name: str, version: str | None) -> list[str]:
        """Loads a model, or loads it again; returns the loaded versions.

        Raises:
            ModelControlOffError: requests may not load models.
            ModelNotFoundError: the repository has no such file.
            ModelRefusedError: a file fails a check; the version before still answers.
            ProviderUnavailableError: the execution provider cannot be used.
        """
        self.require_control()
        return await self._loader.load(name, version)

    async def unload(self, name: str, version: str | None) -> list[str]:
        """Unloads a model; returns the unloaded versions.

        Raises:
            ModelControlOffError: requests may not unload models.
            ModelNotFoundError: it does not answer.
        """
        self.require_control()
        return await self._loader.unload(name, version)

    def require_control(self) -> None:
        """Checks that requests may load and unload models.

        Raises:
            ModelControlOffError: they may not.
        """
        if not self._model_control:
            raise ModelControlOffError("loading and unloading by request is off; the setting model_control turns it on")
