"""The command ``convoy import``: its options, and what it prints."""

# ruff: noqa: PLC0415  # imports wait until the command needs them

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from contract import NAME_RULE, DataSource, Interpolation
from training.importing.terms import Head, ValuesAre

if TYPE_CHECKING:
    from training.importing.stated import Stated

MEASURED = "measured"

EXAMPLES = """\
examples:
  convoy import my_model.keras --name flowers --labels labels.txt --preprocessing unit
  convoy import hf-folder/ --name beans
  convoy import resnet50.onnx --name resnet --labels imagenet.txt --preprocessing imagenet \\
      --resize shortest-edge:256 --crop 224 --examples photos/
  convoy import net.onnx --name birds --labels birds.txt --preprocessing measured --resize cover --examples birds/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("source", type=Path, metavar="SOURCE", help=".keras, .h5, .onnx, or a folder (docs/import.md)")
    parser.add_argument("--name", required=True, help=f"of the served model: {NAME_RULE}")
    parser.add_argument("--version", help="a whole number; an existing version is replaced (default: the next free)")
    parser.add_argument("--out", type=Path, default=Path("models"), help="model repository (default: %(default)s)")
    what = parser.add_argument_group("what the network is")
    what.add_argument("--labels", type=Path, metavar="FILE", help="one label a line, or JSON")
    what.add_argument("--preprocessing", metavar="RULE", help="unit, signed, raw, imagenet, caffe, mean=..,std=..")
    what.add_argument("--size", metavar="HxW", help="input size, where the file leaves it open: 224 or 48x192")
    what.add_argument("--head", choices=get_args(Head), help="how the network ends, where the file does not show it")
    what.add_argument("--multi-label", action="store_true", help="K independent probabilities: --head multi-label")
    what.add_argument(
        "--values", choices=get_args(ValuesAre), help="output of a sigmoid head, where the graph does not show it"
    )
    what.add_argument("--output", metavar="NAME", help="which output classifies, or which tensor of ONNX")
    how = parser.add_argument_group("how a picture becomes its input")
    how.add_argument("--resize", metavar="RULE", help="stretch, cover, contain, ImageOps.fit, shortest-edge:256")
    how.add_argument("--crop", metavar="HxW", help="size of the crop after shortest-edge or stretch")
    how.add_argument("--interpolation", choices=get_args(Interpolation), help="filter of the resize")
    how.add_argument("--antialias", action=argparse.BooleanOptionalAction, help="widen the filter to shrink, as Pillow")
    how.add_argument("--exif", action=argparse.BooleanOptionalAction, help="rotate pictures as their EXIF says")
    how.add_argument("--icc", action=argparse.BooleanOptionalAction, help="convert colour profiles to sRGB")
    how.add_argument("--jpeg-decode", choices=("full", "reduced"), help="reduced is faster and differs a little")
    more = parser.add_argument_group("proof and model card")
    more.add_argument("--examples", type=Path, metavar="FOLDER", help="pictures; sub-folders by label measure accuracy")
    more.add_argument("--data", default="Not stated.", help="what the network learned from")
    more.add_argument("--licence", default="Not stated.", help="of the model or its data")
    more.add_argument("--citation", default="Not stated.", help="how the model is to be cited")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Imports one model and prints a summary."""
    from training.importing.importer import ImportJob, import_model

    job = ImportJob(
        source=options.source,
        name=options.name,
        version=options.version,
        repository=options.out,
        flags=flags_of(options),
        resizing_flags={
            "interpolation": options.interpolation,
            "antialias": options.antialias,
            "exif": options.exif,
            "icc": options.icc,
            "full_jpeg_decode": None if options.jpeg_decode is None else options.jpeg_decode == "full",
        },
        examples=options.examples,
        measures_preprocessing=options.preprocessing == MEASURED,
        data=DataSource(options.data, options.licence, options.citation),
        command=_command(options),
    )
    print(import_model(job).summary())


def flags_of(options: argparse.Namespace) -> "Stated":
    """The facts about the model that the options state.

    Raises:
        ImportRefusedError: an option is not valid, or two of them contradict each other.
    """
    from training.errors import ImportRefusedError
    from training.importing.labels import Labels
    from training.importing.preprocessing import Preprocessing
    from training.importing.resizing import Resizing, parse_size
    from training.importing.stated import Fact, Stated

    head: Head | None = options.head
    if options.multi_label:
        if head not in (None, "multi-label"):
            raise ImportRefusedError(f"--multi-label and --head {head} say different things; leave one out")
        head = "multi-label"
    said = options.preprocessing
    pixels = Preprocessing.parse(said) if said is not None and said != MEASURED else None
    resizing = Resizing.parse(options.resize) if options.resize is not None else None
    sizes = {flag: parse_size(text) for flag, text in (("--size", options.size), ("--crop", options.crop)) if text}
    if len(set(sizes.values())) > 1:
        raise ImportRefusedError("--size and --crop are both the size of the input, and differ; leave one out")
    if "--crop" in sizes and (resizing is None or resizing.edge is None):
        raise ImportRefusedError("--crop belongs to --resize shortest-edge:256; with cover the input's size is cropped")
    labels = Labels.read(options.labels) if options.labels else None
    return Stated(
        labels=Fact(labels, f"--labels {options.labels.name}{labels.remark}") if labels else None,
        preprocessing=Fact(pixels, f"--preprocessing {said}") if pixels else None,
        resizing=Fact(resizing, f"--resize {options.resize}") if resizing else None,
        size=next((Fact(size, flag) for flag, size in sizes.items()), None),
        head=Fact(head, f"--head {head}") if head else None,
        output=Fact(options.output, f"--output {options.output}") if options.output else None,
        values=Fact(options.values, f"--values {options.values}") if options.values else None,
    )


def _command(options: argparse.Namespace) -> str:
    """The command, for the model card, without the folders of its files."""
    words = ["convoy import", shlex.quote(options.source.name), "--name", options.name]
    for flag in ("preprocessing", "size", "head", "values", "output", "resize", "crop", "interpolation", "jpeg_decode"):
        value = getattr(options, flag)
        if value is not None:
            words += [f"--{flag.replace('_', '-')}", shlex.quote(str(value))]
    for flag in ("antialias", "exif", "icc"):
        value = getattr(options, flag)
        if value is not None:
            words.append(f"--{'' if value else 'no-'}{flag}")
    words += ["--multi-label"] * options.multi_label
    for flag in ("labels", "examples"):
        value = getattr(options, flag)
        if value is not None:
            words += [f"--{flag}", shlex.quote(value.name)]
    return " ".join(words)
