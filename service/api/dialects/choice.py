"""Which dialects the settings turn on."""

from service.api.dialects.chosen import Dialects
from service.api.dialects.hugging_face import HUGGING_FACE
from service.api.dialects.tf_serving import TF_SERVING
from service.api.dialects.torchserve import TORCHSERVE
from service.settings import Settings

_KNOWN = {dialect.name: dialect for dialect in (HUGGING_FACE, TF_SERVING, TORCHSERVE)}


def choose_dialects(settings: Settings) -> Dialects | None:
    """The dialects that are on; None where none is."""
    chosen = [_KNOWN[name] for name in dict.fromkeys(settings.dialects)]
    return Dialects(chosen) if chosen else None
