"""Keeps the models in step with the repository's folder.

Files are looked at, not listened to: that works on every file system, network ones and mounted volumes included, and
a file that is still being written is seen to change and waited for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from service.errors import ConvoyError
from service.models.model_loader import ModelLoader

logger = logging.getLogger(__name__)


async def keep_up(control: ModelLoader, interval_s: float) -> None:
    """Loads what comes or changes and unloads what goes, until cancelled.

    A file is loaded once it has looked the same twice. One that is refused is logged, and tried again when it changes.

    Args:
        control: of the models.
        interval_s: between two looks, in seconds.
    """
    known = seen = await control.fingerprints()
    while True:
        await asyncio.sleep(interval_s)
        found = await control.fingerprints()
        changed = [model for model, print_ in found.items() if known.get(model) != print_ == seen.get(model)]
        gone = [model for model in known if model not in found and model not in seen]
        for name, version in changed:
            known = {**known, (name, version): found[name, version]}
            await _attempt(control.load, name, version)
        for name, version in gone:
            known = {model: print_ for model, print_ in known.items() if model != (name, version)}
            await _attempt(control.unload, name, version)
        seen = found


async def _attempt(change: Callable[[str, str], Awaitable[object]], name: str, version: str) -> None:
    try:
        await change(name, version)
    except ConvoyError as error:
        logger.warning("%s version %s: %s", name, version, error)
