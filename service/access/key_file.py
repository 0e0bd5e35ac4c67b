"""The file of keys: TOML, one ``[[keys]]`` table for each key, without any secret.

It is read again when it has changed, so that keys can be added, changed and revoked while the service runs. There is no
timer: the service checks the file when a request has a key, at most once a second. While the file is invalid or
missing, the keys do not change, and an error is logged.
"""

import json
import logging
import stat
import time
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.access.api_key import ApiKey
from service.errors import KeyFileError
from service.regular_file import read_regular

logger = logging.getLogger(__name__)

_CHECK_EVERY_S = 1.0
_MOST_BYTES = 4 << 20  # about 25,000 keys; a request waits while the file is read


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: Annotated[list[ApiKey], Field(default_factory=list)]

    @model_validator(mode="after")
    def _ids_differ(self) -> "_Document":
        if len({key.id for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have the same id")
        return self


class KeyFile:
    """The present keys of a file.

    Args:
        path: of the file.

    Raises:
        KeyFileError: it cannot be read, or is not a key file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._signature()
        self._keys = read_keys(path)
        if warning := open_to_others(path):
            logger.warning(warning)
        self._checked_at = time.monotonic()

    def find(self, identity: str) -> ApiKey | None:
        """The entry with this id, or None.

        Args:
            identity: from :func:`service.access.api_key.key_id`.
        """
        now = time.monotonic()
        if now - self._checked_at >= _CHECK_EVERY_S:
            self._checked_at = now
            self._refresh()
        return self._keys.get(identity)

    def _refresh(self) -> None:
        signature = self._signature()
        if signature == self._seen:
            return
        self._seen = signature
        try:
            self._keys = read_keys(self._path)
        except KeyFileError as error:
            logger.error("the keys stay as they were: %s", error)  # noqa: TRY400  a traceback could show content of the file
        else:
            logger.info("read %d keys from %s", len(self._keys), self._path)

    def _signature(self) -> tuple[int, ...] | None:
        """A value that changes with the file, also if it or the target of a link is replaced; None if it is missing."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


def read_keys(path: Path) -> dict[str, ApiKey]:
    """Reads a key file.

    Args:
        path: of the file.

    Returns:
        Its keys by id.

    Raises:
        KeyFileError: it cannot be read, or is not a key file; the message says where, but repeats no content.
    """
    try:
        document = _Document.model_validate(tomllib.loads(_read(path).decode("utf-8-sig")))
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = "".join((", at ", ".".join(map(str, fault["loc"])))) if fault["loc"] else ""
        reason = fault["msg"].removeprefix("Value error, ")
        raise KeyFileError(f"the key file {path} is not as it should be{where}: {reason}") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"the key file {path} is not UTF-8") from None
    except RecursionError:
        raise KeyFileError(f"the key file {path} is nested too deeply") from None
    except ValueError as error:
        raise KeyFileError(f"the key file {path} is not TOML: {error}") from None
    return {key.id: key for key in document.keys}


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, _MOST_BYTES)
    except ValueError:
        raise KeyFileError(f"the key file {path} is not a regular file") from None
    except OverflowError:
        raise KeyFileError(f"the key file {path} has more than {_MOST_BYTES >> 20} MiB") from None


def open_to_others(path: Path) -> str | None:
    """The warning if other users may read or write a key file; None if they may not."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"others may read or write the key file {path} (mode {mode:04o}); chmod 600 it" if mode & 0o077 else None


def write_entry(key: ApiKey) -> str:
    """A key's TOML table, for a key file."""
    lines = ["[[keys]]"]
    for name, value in key.model_dump(mode="json", exclude_none=True).items():
        # A JSON string, or a list of JSON strings, is valid TOML too.
        lines.append(f"{name} = {json.dumps(sorted(value) if isinstance(value, list) else value)}")
    return "\n".join(lines) + "\n"
