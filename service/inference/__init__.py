"""ONNX Runtime: sessions and their threads, execution providers, warm-up, and the model repository on disk.

::

    models/<name>/<version>/model.onnx -> tried in a child process, where it is not known yet
                                          -> session on a provider: metadata against graph
                                          -> golden images against expected -> warm-up -> LoadedModel
"""

from service.inference.gpu_options import GpuPolicy
from service.inference.known_models import KnownModels
from service.inference.providers import Provider, choose_provider
from service.inference.repository import KnownModel, LoadedModel, ModelFile, ModelRepository
from service.inference.repository_files import FileState, ModelKey, Survey
from service.inference.session import ModelSession
from service.inference.trial import LoadLimits

__all__ = [
    "FileState",
    "GpuPolicy",
    "KnownModel",
    "KnownModels",
    "LoadLimits",
    "LoadedModel",
    "ModelFile",
    "ModelKey",
    "ModelRepository",
    "ModelSession",
    "Provider",
    "Survey",
    "choose_provider",
]
