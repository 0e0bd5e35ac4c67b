"""Makes folders as transformers and timm write them, and stores the frameworks' answers for picture files.

Run by ``make import-test`` in a separate environment: ``python tests/frameworks/make_sources.py FOLDER``. The
networks have random weights, so nothing is downloaded.
"""

# mypy: ignore-errors

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config
from transformers import (
    ConvNextImageProcessor,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

CLASSES = 5
_LABELS = {index: f"leaf {index}" for index in range(CLASSES)}
_SIZES = [(640, 480), (333, 500), (64, 64), (50, 90), (1200, 801), (801, 1201)]


def main(root: Path) -> None:
    """Writes one folder per source, the pictures, and ``answers.json``."""
    torch.manual_seed(0)
    root.mkdir(parents=True, exist_ok=True)
    pictures = _pictures(root / "pictures")
    answers = {}
    for name, model, processor, side in _transformers():
        folder = root / name
        folder.mkdir(exist_ok=True)
        model.config.save_pretrained(folder)
        processor.save_pretrained(folder)
        _export(model, side, folder / "model.onnx", "logits")
        answers[name] = [
            _softmax(model(**processor(images=picture, return_tensors="pt")).logits) for picture in pictures
        ]
    network = timm.create_model("resnet18", num_classes=CLASSES).eval()
    transform = create_transform(**resolve_data_config({}, model=network))
    timm.models.save_for_hf(network, root / "timm", model_config={"label_names": list(_LABELS.values())})
    _export(network, 224, root / "timm" / "model.onnx", "output")
    answers["timm"] = [_softmax(network(transform(picture)[None])) for picture in pictures]
    (root / "answers.json").write_text(json.dumps(answers))


def _transformers() -> Iterator[tuple[str, Any, Any, int]]:
    labels = {"id2label": _LABELS, "label2id": {label: index for index, label in _LABELS.items()}}
    vit = ViTConfig(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        image_size=64,
        patch_size=16,
        **labels,
    )
    resnet = ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], **labels)
    size = {"height": 64, "width": 64}
    yield "vit", ViTForImageClassification(vit).eval(), ViTImageProcessor(size=size), 64
    processor = ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.875, resample=3)
    yield "resnet", ResNetForImageClassification(resnet).eval(), processor, 64


def _export(model: Any, side: int, path: Path, output: str) -> None:
    images, axes = torch.zeros(2, 3, side, side), {"pixels": {0: "N"}, output: {0: "N"}}
    torch.onnx.export(
        model, (images,), path, input_names=["pixels"], output_names=[output], dynamic_axes=axes, dynamo=False
    )


def _softmax(logits: Any) -> list[float]:
    return torch.softmax(logits.detach(), -1)[0].tolist()


def _pictures(folder: Path) -> list[Image.Image]:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for index, (width, height) in enumerate(_SIZES):
        patches = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((height // 8 + 1, width // 8 + 1, 1)))
        picture = Image.fromarray(patches[:height, :width].astype(np.uint8))
        picture.save(folder / f"{index}.{'png' if index % 2 else 'jpg'}")
    return [Image.open(path).convert("RGB") for path in sorted(folder.iterdir())]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
