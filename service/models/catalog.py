"""The served models, and the default model and version for requests that name none.

::

    name: that of the request, or the default model, which is chosen once, at the start
    version: that of the request, or of the model's file `default_version`, or the newest
    label of a version: from the model's file `version_labels`
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from contract import ModelMetadata, is_model_name
from service.batching import Batcher
from service.decoding import Target
from service.errors import ModelNotFoundError
from service.inference import ModelSession
from service.inference.inspection import Inspection
from service.models.version_labels import VersionLabels
from service.telemetry.metrics import ModelMetrics

USUAL_DEFAULT: Final = "cifar10"
"""The default model where several are found at the start and the setting `default_model` names none."""


class Engine(NamedTuple):
    """The session and the batcher of an open model.

    Attributes:
        session: runs its batches.
        batcher: forms batches of its requests.
    """

    session: ModelSession
    batcher: Batcher


@dataclass(slots=True, eq=False)
class ServedModel:
    """One version of one model, which answers requests.

    Attributes:
        metadata: of its file.
        target: the input to which its pictures are decoded.
        metrics: counts its requests.
        sha256: of its file, in hexadecimal digits.
        inspection: computes its inner tensors.
        provider: the execution provider on which it runs, or will run once it has an engine.
        engine: None until the first request, if the version is opened only then.
    """

    metadata: ModelMetadata
    target: Target
    metrics: ModelMetrics
    sha256: str
    inspection: Inspection
    provider: str
    engine: Engine | None = None


class ModelCatalog:
    """Finds the model of a request.

    A request uses one model until its answer, so a change of the catalog never mixes versions in an answer.

    Args:
        default_name: the model that answers where none is named. None: :meth:`choose_default` chooses it.
        alias: a second name of that model, unless another model has this name.
    """

    def __init__(self, default_name: str | None = None, alias: str | None = None) -> None:
        self._default_name = default_name
        self._default = default_name
        self._alias = alias
        self._default_versions: dict[str, str] = {}
        self._labels = VersionLabels()
        self._models: dict[str, dict[str, ServedModel]] = {}
        self._found: dict[tuple[str | None, str | None], ServedModel] = {}
        self._subscribers: list[Callable[[], None]] = []

    def choose_default(self, names: Iterable[str]) -> None:
        """Chooses the default model, if the settings name none: the only one, or :data:`USUAL_DEFAULT` of several.

        It is chosen once, so that requests that name no model never move to another one when models come and go.

        Args:
            names: of the models that the repository has at the start, whether they can be served or not.
        """
        if self._default_name is None:
            found = {name for name in names if is_model_name(name)}
            usual = USUAL_DEFAULT if USUAL_DEFAULT in found else None
            self._default = next(iter(found)) if len(found) == 1 else usual

    def fault_of_alias(self, names: Iterable[str]) -> str:
        """Why the alias does not name the default model; empty where it does, or where there is none.

        Args:
            names: of the models that are served or will be.
        """
        if self._alias is None or self._alias == self._default or self._alias not in names:
            return ""
        return (
            f"model_alias {self._alias!r} is not a second name of the default model, because another model has this "
            "name, and answers under it"
        )

    def subscribe(self, told: Callable[[], None]) -> None:
        """Registers a function that is called in the event loop after each change."""
        self._subscribers.append(told)

    def __iter__(self) -> Iterator[ServedModel]:
        """Every served version, by name and then from the oldest to the newest."""
        for name in sorted(self._models):
            yield from self.versions(name)

    def find(self, name: str | None = None, version: str | None = None) -> ServedModel:
        """Finds a model.

        Args:
            name: of the model; None is the default model.
            version: of the model; None is its default version.

        Raises:
            ModelNotFoundError: it is not served, or there is no default; the message says what is served.
        """
        model = self._found.get((name, version))
        if model is None:
            raise ModelNotFoundError(self._why_not(name, version))
        return model

    def find_labelled(self, name: str, label: str) -> ServedModel:
        """Finds the version of a model that has a label.

        Raises:
            ModelNotFoundError: there is no such model or label, or its version is not served.
        """
        name = self.versions(name)[0].metadata.name  # not an alias of it
        version = self._labels.version(name, label)
        if version not in self._models[name]:
            raise ModelNotFoundError(self._why_no_label(name, label, version))
        return self._models[name][version]

    def version_labels(self, name: str) -> Mapping[str, str]:
        """The version of each label of a model, served or not."""
        return self._labels.of(self.versions(name)[0].metadata.name)

    def versions(self, name: str) -> list[ServedModel]:
        """The served versions of a model, from the oldest to the newest.

        Raises:
            ModelNotFoundError: there is none.
        """
        if name == self._alias and name not in self._models:
            name = self._default or name
        if name not in self._models:
            raise ModelNotFoundError(self._why_not(name, None))
        return [self._models[name][version] for version in sorted(self._models[name], key=int)]

    def has_default(self) -> bool:
        """Whether the default model is served, or the settings name none."""
        return self._default_name is None or (None, None) in self._found

    def check_default(self) -> None:
        """Checks that the default model is served, if the settings name one.

        Raises:
            ModelNotFoundError: it is not.
        """
        if not self.has_default():
            raise ModelNotFoundError(f"default_model is {self._default_name!r}, but {self._why_not(None, None)}")

    @property
    def default_model(self) -> str | None:
        """The model that answers where none is named, or None."""
        model = self._found.get((None, None))
        return None if model is None else model.metadata.name

    def default_version(self, name: str) -> str | None:
        """The version of a model that answers where none is named, or None."""
        model = self._found.get((name, None))
        return None if model is None else model.metadata.version

    def has_pinned_version(self, name: str) -> bool:
        """Whether a file ``default_version`` chooses the default version of a model; no other takes its place."""
        return name in self._default_versions

    def set_versions(self, default_versions: Mapping[str, str], version_labels: Mapping[str, str]) -> list[str]:
        """Sets the default version and the version labels of each model.

        If a model's default version, or the version of a label, is not served, no other version answers instead.

        Args:
            default_versions: of each model with a file ``default_version``; for others it is the newest version.
            version_labels: the content of each model's file ``version_labels``.

        Returns:
            Messages for the log: changed default versions and labels whose version is not served.
        """
        faults: list[str] = []
        if default_versions != self._default_versions:
            self._default_versions = dict(default_versions)
            self._index()
            faults += [self._why_not(name, None) for name in sorted(self._models) if (name, None) not in self._found]
        if self._labels.read(version_labels):
            faults += self._labels.faults()
            for name in sorted(self._models):
                faults += [
                    self._why_no_label(name, label, version)
                    for label, version in self._labels.of(name).items()
                    if version not in self._models[name]
                ]
        return faults

    def publish(self, model: ServedModel) -> ServedModel | None:
        """Adds a model, which answers from the next request on.

        Returns:
            The model that it replaces, for the caller to close, or None.
        """
        versions = self._models.setdefault(model.metadata.name, {})
        replaced = versions.get(model.metadata.version)
        versions[model.metadata.version] = model
        self._index()
        return replaced

    def withdraw(self, name: str, version: str) -> ServedModel:
        """Removes a model; its admitted requests are still answered.

        Returns:
            The model, for the caller to close.

        Raises:
            ModelNotFoundError: it is not served.
        """
        model = self.find(name, version)
        name = model.metadata.name  # not an alias of it
        del self._models[name][version]
        if not self._models[name]:
            del self._models[name]
        self._index()
        return model

    def _index(self) -> None:
        """Rebuilds the map from all names and versions in requests to models."""
        found: dict[tuple[str | None, str | None], ServedModel] = {}
        for name, versions in self._models.items():
            found |= {(name, version): model for version, model in versions.items()}
            default_version = self._default_versions.get(name, max(versions, key=int))
            if default_version in versions:
                found[name, None] = versions[default_version]
        of_default = {version: model for (name, version), model in found.items() if name == self._default}
        found |= {(None, version): model for version, model in of_default.items()}
        if self._alias is not None and self._alias not in self._models:
            found |= {(self._alias, version): model for version, model in of_default.items()}
        self._found = found
        for told in self._subscribers:
            told()

    def _why_no_label(self, name: str, label: str, version: str) -> str:
        return f"the version label {label!r} is version {version}: {self._why_not(name, version)}"

    def _why_not(self, name: str | None, version: str | None) -> str:
        names = ", ".join(sorted(self._models)) or "none"
        if name is not None and name == self._alias and name not in self._models:
            if self._default in self._models:
                return self._why_not(self._default, version)
            return (
                f"{name!r} is a further name (setting model_alias) of the default model, and {self._no_default(names)}"
            )
        if name is None and self._default_name is None and self._default not in self._models:
            return f"no model is named, and {self._no_default(names)}"
        wanted = (self._default or "") if name is None else name
        if wanted not in self._models:
            return f"no model {wanted[:64]!r} is served; served: {names}"
        versions = ", ".join(sorted(self._models[wanted], key=int))
        if version is not None:
            return f"model {wanted!r} has no version {version[:16]!r}; it has {versions}"
        default_version = self._default_versions.get(wanted, "")
        return (
            f"the default version of model {wanted!r}, {default_version[:32]!r}, is not served; name a version; "
            f"it has {versions}"
        )

    def _no_default(self, names: str) -> str:
        default = "none is the default" if self._default is None else f"the default, {self._default!r}, is not served"
        return f"{default} (setting default_model); served: {names}"
