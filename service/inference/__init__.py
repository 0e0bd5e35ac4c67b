"""ONNX Runtime: sessions and their threads, execution providers, warm-up, and the model repository on disk.

::

    models/<name>/<version>/model.onnx -> repository: metadata against graph -> session on a provider
                                          -> warm-up -> golden images against expected -> LoadedModel
"""

from service.inference.gpu_options import GpuPolicy
from service.inference.providers import Provider, choose_provider
from service.inference.repository import LoadedModel, ModelRepository
from service.inference.session import ModelSession

__all__ = ["GpuPolicy", "LoadedModel", "ModelRepository", "ModelSession", "Provider", "choose_provider"]
