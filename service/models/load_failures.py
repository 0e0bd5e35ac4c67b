"""Records why models could not be loaded at the last attempt."""

import logging
from collections.abc import Iterable

from service.errors import ConvoyError, ModelLoadFailedError, ModelNotFoundError, OverloadedError
from service.inference import ModelKey
from service.telemetry.failure import release_frames

logger = logging.getLogger(__name__)


class LoadFailures:
    """The last failure of each model that could not be loaded; a new failure is logged."""

    def __init__(self) -> None:
        self._errors: dict[ModelKey, ConvoyError] = {}

    def __contains__(self, key: ModelKey) -> bool:
        """Whether the last attempt to load a model failed."""
        return key in self._errors

    def add(self, key: ModelKey, raised: Exception) -> ConvoyError:
        """Records and logs why a model could not be loaded; returns the error, without the frames of its traceback.

        An error that is not the service's own is logged with its traceback, and the returned error refers to the log.
        """
        if isinstance(raised, ConvoyError):
            error = raised
        else:
            name, version = key
            logger.error("loading %s version %s failed with an unexpected error", name, version, exc_info=raised)
            release_frames(raised)
            error = ModelLoadFailedError(f"{name}/{version} cannot be loaded; the service's log says why")
        release_frames(error)  # they refer to the file's content
        error.__traceback__ = error.__cause__ = error.__context__ = None
        is_news = str(self._errors.get(key)) != str(error)
        self._errors[key] = error
        logger.log(logging.ERROR if is_news else logging.DEBUG, "refused: %s", error)
        return error

    def passed(self, key: ModelKey) -> None:
        """Forgets the failure of a model that could be loaded."""
        self._errors.pop(key, None)

    def forget(self, keys: Iterable[ModelKey]) -> None:
        """Forgets the failures of models whose files were removed."""
        for key in keys:
            self._errors.pop(key, None)

    def keys(self) -> set[ModelKey]:
        """The models that could not be loaded."""
        return set(self._errors)

    def reason(self, key: ModelKey) -> str | None:
        """Why a model could not be loaded; None where it could."""
        error = self._errors.get(key)
        return None if error is None else str(error)

    def reasons(self) -> list[str]:
        """All reasons, the oldest first."""
        return [str(error) for error in self._errors.values()]

    def may_pass(self, key: ModelKey) -> bool:
        """Whether the last attempt to load a model failed for a temporary reason."""
        return isinstance(self._errors.get(key), ModelLoadFailedError | ModelNotFoundError | OverloadedError)
