"""The models that answer now: name -> version -> model, with the version that answers where none is named."""

from collections.abc import Iterator
from dataclasses import dataclass

from contract import ModelMetadata
from service.batching import Batcher
from service.decoding import Target
from service.errors import ModelNotFoundError
from service.telemetry.metrics import ModelMetrics


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """One version of one model, ready to answer.

    Attributes:
        metadata: what its file says about itself.
        target: what its pictures become.
        provider: the execution provider that it really runs on.
        batcher: shares its session among requests.
        metrics: counts its requests.
    """

    metadata: ModelMetadata
    target: Target
    provider: str
    batcher: Batcher
    metrics: ModelMetrics


class ModelCatalog:
    """Finds the model that a request means.

    A request keeps the model that it was given, so that a change of the catalog never mixes versions in an answer.

    Args:
        default_name: the model that answers where none is named. Where it is not there and only one model is, that one.
    """

    def __init__(self, default_name: str) -> None:
        self._default_name = default_name
        self._models: dict[str, dict[str, ServedModel]] = {}
        self._found: dict[tuple[str | None, str | None], ServedModel] = {}

    def __iter__(self) -> Iterator[ServedModel]:
        """Every served version, by name and then from the oldest to the newest."""
        for name in sorted(self._models):
            yield from self.versions(name)

    def find(self, name: str | None = None, version: str | None = None) -> ServedModel:
        """Finds a model.

        Args:
            name: of the model; None is the default model.
            version: of it; None is the newest.

        Returns:
            The model.

        Raises:
            ModelNotFoundError: it is not served; says what is.
        """
        model = self._found.get((name, version))
        if model is None:
            raise ModelNotFoundError(self._why_not(name, version))
        return model

    def versions(self, name: str) -> list[ServedModel]:
        """The served versions of a model, from the oldest to the newest.

        Raises:
            ModelNotFoundError: there is none.
        """
        if name not in self._models:
            raise ModelNotFoundError(self._why_not(name, None))
        return [self._models[name][version] for version in sorted(self._models[name], key=int)]

    def publish(self, model: ServedModel) -> ServedModel | None:
        """Lets a model answer from the next request on.

        Returns:
            The one whose place it took, for the caller to close, or None.
        """
        versions = self._models.setdefault(model.metadata.name, {})
        replaced = versions.get(model.metadata.version)
        versions[model.metadata.version] = model
        self._index()
        return replaced

    def withdraw(self, name: str, version: str) -> ServedModel:
        """Takes a model out; requests that hold it are still answered.

        Returns:
            The model, for the caller to close.

        Raises:
            ModelNotFoundError: it is not served.
        """
        model = self.find(name, version)
        del self._models[name][version]
        if not self._models[name]:
            del self._models[name]
        self._index()
        return model

    def _index(self) -> None:
        """Rebuilds the map from what a request may say to the model that it means."""
        found: dict[tuple[str | None, str | None], ServedModel] = {}
        for name, versions in self._models.items():
            found |= {(name, version): model for version, model in versions.items()}
            found[name, None] = versions[max(versions, key=int)]
        default = self._default_name
        if default not in self._models and len(self._models) == 1:
            default = next(iter(self._models))
        found |= {(None, version): model for (name, version), model in found.items() if name == default}
        self._found = found

    def _why_not(self, name: str | None, version: str | None) -> str:
        wanted = self._default_name if name is None else name
        if wanted in self._models and version is not None:
            versions = ", ".join(sorted(self._models[wanted], key=int))
            return f"model {wanted[:64]!r} has no version {version[:16]!r}; it has {versions}"
        names = ", ".join(sorted(self._models)) or "none"
        return f"no model {wanted[:64]!r} is served; served: {names}"
