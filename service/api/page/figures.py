"""Serves the figures that training wrote beside a model's file, for the model's card on the page.

Only files with the names below are read, only regular files of limited length, and only PNG is served, so that no other
file in a model's folder, or behind a link there, can be read. Models without such figures have an empty list.
"""

from pathlib import Path as FilePath
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from service.api.context import context_of
from service.declarations import declare
from service.errors import ModelNotFoundError
from service.models.catalog import ServedModel
from service.pool_threads import run_in_pool
from service.regular_file import read_regular

TITLES: Final = {
    "learning_curves": "Loss and mistakes over the epochs; the dashed line marks the epoch whose weights were kept.",
    "confusion_matrix": "Confusion matrix: rows are true classes, columns are predicted classes.",
    "reliability_diagram": "Accuracy against confidence, before and after calibration.",
    "confident_mistakes": "The wrong answers with the highest confidence.",
    "random_predictions": "Random test images, each with its predicted (true) label.",
    "first_training_images": "The first training images.",
    "class_counts": "Number of images of each class.",
}
"""What each figure shows. Kernels and feature maps are not listed, since the page draws them itself."""
_FOLDER: Final = "figures"
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_MOST_BYTES: Final = 2 * 1024 * 1024

router = APIRouter(include_in_schema=False)


@router.get("/models/{name}/versions/{version}/figures")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def list_figures(request: Request, name: str, version: str) -> dict[str, Any]:
    """The figures of a model that can be shown."""
    folder = _folder(_find(request, name, version))
    found = await run_in_pool(lambda: [one for one in TITLES if _read(folder, one) is not None])
    return {"figures": [{"name": one, "title": TITLES[one]} for one in found]}


@router.get("/models/{name}/versions/{version}/figures/{figure}")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def show_figure(request: Request, name: str, version: str, figure: str) -> Response:
    """One figure, in PNG."""
    folder = _folder(_find(request, name, version))
    content = await run_in_pool(lambda: _read(folder, figure)) if figure in TITLES else None
    if content is None:
        raise ModelNotFoundError(f"model {name!r} version {version!r} has no figure {figure[:32]!r}")
    return Response(content, media_type="image/png", headers={"Cache-Control": "no-cache"})


def _find(request: Request, name: str, version: str) -> ServedModel:
    return context_of(request.scope).app.classifier.catalog.find(name, version)


def _folder(model: ServedModel) -> FilePath:
    return model.inspection.path.parent / _FOLDER


def _read(folder: FilePath, figure: str) -> bytes | None:
    """A figure's file; None where there is none that may be shown."""
    try:
        content = read_regular(folder / f"{figure}.png", _MOST_BYTES)
    except (OSError, ValueError, OverflowError):
        return None
    return content if content.startswith(_SIGNATURE) else None
