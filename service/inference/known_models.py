"""Remembers which model files have passed their trial, so that a start with known files does not try them again.

A file is identified by a hash of its content and of all other facts that its trial depends on: the version of ONNX
Runtime and the batch size. In the folder, a file of that name contains the last outcome. It is also a lock, so that one
process tries a model while the others wait for the outcome.
"""

import fcntl
import hashlib
import json
import logging
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

logger = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """The outcome of a trial.

    Attributes:
        refusal: why the model may not be loaded; empty where it may.
        may_pass: whether the reason is temporary, so that another trial of the same file may succeed.
    """

    refusal: str
    may_pass: bool = False


PASSED: Final = Outcome("")

_MOST_OUTCOME_BYTES: Final = 65_536
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def fingerprint(model: bytes, *facts: object) -> str:
    """Makes a name for a model file and the facts that its trial depends on.

    Args:
        model: the file's content.
        facts: all other facts that the outcome depends on.

    Returns:
        A file name of letters, digits, ``-`` and ``.``.
    """
    return "-".join((hashlib.sha256(model).hexdigest(), *map(str, facts)))


class KnownModels:
    """The models that have passed their trial. Its methods may be called in any thread.

    Args:
        folder: folder of the outcomes; if it is missing, it is made, for this user only. None: they are kept in memory
            only. A folder that other users may write to is not used; one that cannot be written to is only read.
    """

    def __init__(self, folder: Path | None) -> None:
        self._passed: set[str] = set()
        self._folder = None if folder is None else _usable(folder)

    def __contains__(self, name: str) -> bool:
        """Whether a model has passed its trial."""
        if name in self._passed:
            return True
        if self._folder is None or _read(self._folder / name) != PASSED:
            return False
        self._passed.add(name)
        return True

    def outcome(self, name: str, limits: str, try_out: Callable[[], Outcome]) -> Outcome:
        """Tries a model; if another process is trying it, waits for that outcome and returns it instead.

        Args:
            name: from :func:`fingerprint`.
            limits: of the trial; a refusal under other limits is not used.
            try_out: tries the model, and returns the outcome.

        Returns:
            The outcome.

        Raises:
            Exception: any error of ``try_out``.
        """
        outcome = self._shared_outcome(name, limits, try_out)
        if outcome == PASSED:
            self._passed.add(name)
        return outcome

    def _shared_outcome(self, name: str, limits: str, try_out: Callable[[], Outcome]) -> Outcome:
        if self._folder is None:
            return try_out()
        try:
            file = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            logger.debug("the outcome of a model's trial is not kept: %s", error)
            return try_out()
        try:
            if not _lock(file):
                content = os.pread(file, _MOST_OUTCOME_BYTES, 0)
                found = _parse(content)
                if found is not None and (found == PASSED or json.loads(content).get("limits") == limits):
                    return found
            outcome = try_out()
            _write(file, outcome, limits)
            return outcome
        finally:
            os.close(file)  # which ends the lock


def _usable(folder: Path) -> Path | None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        logger.info("no folder for known models (%s): new model files are tried at every start", error)
        return None
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & _WRITABLE_BY_OTHERS:
        logger.warning("%s is not this user's alone (chmod 700): new model files are tried at every start", folder)
        return None
    return folder


def _read(path: Path) -> Outcome | None:
    try:
        with path.open("rb") as file:
            return _parse(file.read(_MOST_OUTCOME_BYTES))
    except OSError:
        return None


def _parse(content: bytes) -> Outcome | None:
    """The outcome in a file; None where there is none, for example during the first trial."""
    try:
        values = json.loads(content)
        return Outcome(str(values["refusal"]), bool(values["may_pass"]))
    except (ValueError, KeyError, TypeError):
        return None


def _write(file: int, outcome: Outcome, limits: str) -> None:
    content = json.dumps(outcome._asdict() | {"limits": limits}).encode()
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, content, 0)
    except OSError as error:  # the disk is full
        logger.debug("the outcome of a model's trial is not kept: %s", error)


def _lock(file: int) -> bool:
    """Takes the lock; returns False if another process held it first.

    On a file system without locks it does nothing, so several processes may try a model at once.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        return False
    except OSError as error:
        logger.debug("other processes do not wait for the outcome of a model's trial: %s", error)
    return True
