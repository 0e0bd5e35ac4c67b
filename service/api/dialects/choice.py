"""Which dialects the settings turn on."""

from service.api.dialects.chosen import Dialects
from service.api.dialects.hugging_face import HUGGING_FACE
from service.api.dialects.sagemaker import SAGEMAKER
from service.api.dialects.tf_serving import TF_SERVING
from service.api.dialects.torchserve import TORCHSERVE
from service.api.dialects.vertex_ai import vertex_ai
from service.settings import Settings


def choose_dialects(settings: Settings) -> Dialects | None:
    """The dialects that are on; None where none is. Vertex AI's is the first, since it may have any path."""
    known = (
        vertex_ai(settings.vertex_health_route, settings.vertex_predict_route),
        HUGGING_FACE,
        SAGEMAKER,
        TF_SERVING,
        TORCHSERVE,
    )
    chosen = [dialect for dialect in known if dialect.name in settings.dialects]
    return Dialects(chosen) if chosen else None
