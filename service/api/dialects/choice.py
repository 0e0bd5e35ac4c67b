"""Chooses the dialects that the settings turn on."""

# ruff: noqa: PLC0415  # a dialect is imported only where one is on: together they take a tenth of the start

from typing import TYPE_CHECKING

from service.settings import Settings

if TYPE_CHECKING:
    from service.api.dialects.chosen import Dialects


def choose_dialects(settings: Settings) -> "Dialects | None":
    """The dialects that are on; None where all are off. Vertex AI is the first, since its paths are free to choose."""
    if not settings.dialects:
        return None
    from service.api.dialects.chosen import Dialects
    from service.api.dialects.hugging_face import HUGGING_FACE
    from service.api.dialects.sagemaker import SAGEMAKER
    from service.api.dialects.tf_serving import TF_SERVING
    from service.api.dialects.torchserve import TORCHSERVE
    from service.api.dialects.vertex_ai import vertex_ai

    known = (
        vertex_ai(settings.vertex_health_route, settings.vertex_predict_route),
        HUGGING_FACE,
        SAGEMAKER,
        TF_SERVING,
        TORCHSERVE,
    )
    chosen = [dialect for dialect in known if dialect.name in settings.dialects]
    return Dialects(chosen) if chosen else None
