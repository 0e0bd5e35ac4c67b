"""Runs transformers' ``pipeline("image-classification")`` over a folder, and makes the ResNet-18 for it.

::

    python transformers_pipeline.py make FOLDER                            a Hugging Face folder, with model.onnx
    python transformers_pipeline.py score FOLDER PICTURES OUT.csv LOADERS  as documented for many pictures

Run by ``bench.score_beside`` in an environment that has torch and transformers.
"""

import csv
import os
import sys
from pathlib import Path

import torch
import transformers

_BATCH = 32


def main(arguments: list[str]) -> None:
    """Runs one command."""
    if arguments[0] == "make":
        make(Path(arguments[1]))
    else:
        folder, pictures, out, loaders = arguments[1:]
        score(folder, Path(pictures), Path(out), int(loaders))


def make(folder: Path) -> None:
    """Makes a ResNet-18 like microsoft/resnet-18, with random weights, which cost as much."""
    torch.manual_seed(0)
    labels = {number: f"label {number}" for number in range(1000)}
    config = transformers.ResNetConfig(
        embedding_size=64,
        hidden_sizes=[64, 128, 256, 512],
        depths=[2, 2, 2, 2],
        layer_type="basic",
        id2label=labels,
        label2id={label: number for number, label in labels.items()},
    )
    model = transformers.ResNetForImageClassification(config).eval()
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):  # without this, every picture would get the same answer
            layer.running_mean.uniform_(-0.5, 0.5)
            layer.running_var.uniform_(0.5, 2.0)
            layer.bias.data.uniform_(-1.0, 1.0)
    model.save_pretrained(folder)
    processor = transformers.ConvNextImageProcessor(size={"shortest_edge": 224}, crop_pct=0.875, resample=3)
    processor.save_pretrained(folder)
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, 224, 224),),
        folder / "model.onnx",
        input_names=["pixel_values"],
        output_names=["logits"],
        dynamic_axes={"pixel_values": {0: "N"}, "logits": {0: "N"}},
        dynamo=False,
    )


def score(folder: str, pictures: Path, out: Path, loaders: int) -> None:
    """Writes the most probable label of each picture; ``loaders`` processes decode, or this one where it is 0."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    classify = transformers.pipeline(
        "image-classification", model=folder, device="cpu", batch_size=_BATCH, num_workers=loaders
    )
    paths = sorted(map(str, pictures.iterdir()))
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "label", "probability"))
        for path, [best] in zip(paths, classify(_Paths(paths), top_k=1), strict=True):
            writer.writerow((Path(path).name, best["label"], best["score"]))


class _Paths(torch.utils.data.Dataset):
    """The paths as a data set: a list would be decoded as a whole before the first batch."""

    def __init__(self, paths: list[str]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> str:
        return self._paths[index]


if __name__ == "__main__":
    main(sys.argv[1:])
