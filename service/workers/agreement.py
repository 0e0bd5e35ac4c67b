"""What the workers of one service decide once: the first of them decides, and the others, also replacements, follow.

The decision is a file in the folder that the workers share.
"""

import logging
import os
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)


def agree(folder: Path, decision: str, proposed: str) -> str:
    """The text that the first worker proposed for a decision.

    Args:
        folder: that all workers of the service share.
        decision: name of the decision.
        proposed: counts if no worker has proposed one before, or if the folder cannot be used, which is logged.

    Returns:
        The text that all workers use.
    """
    place = folder / decision
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder) as file:
            file.write(proposed)
            file.flush()
            os.link(file.name, place)  # the file gets its name with its whole content, and only once
    except FileExistsError:
        return place.read_text(encoding="utf-8")
    except OSError as error:
        logger.warning("%s cannot be used (%s): each worker decides alone", folder, error.strerror)
    return proposed
