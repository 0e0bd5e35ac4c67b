"""Rules that resize a picture to the network's input, exactly as the source framework does.

=====================  ====================================================  =====================================
source                 rule                                                  said by
=====================  ====================================================  =====================================
torchvision            ``shortest-edge:256``, crop 224                       ``Resize(256), CenterCrop(224)``
timm, ``center``       shortest edge to floor(size / crop_pct), crop size    ``pretrained_cfg``
transformers           ``shortest_edge`` and ``crop_size``, or a stretch     ``preprocessor_config.json``
transformers, DeiT     ``stretch:256``, crop 224                             ``preprocessor_config.json``
Keras data sets        ``stretch``, bilinear without antialiasing            ``image_dataset_from_directory``
Keras data sets        ``cover`` in ``source-pixels``                        ``crop_to_aspect_ratio=True``
Keras data sets        ``contain`` in ``target-pixels``                      ``pad_to_aspect_ratio=True``
Keras' layer Resizing  ``cover``, ``contain`` in ``source-pixels``           ``crop_``, ``pad_to_aspect_ratio=True``
Keras ``load_img``     ``stretch``, nearest                                  ``load_img(target_size=...)``
Pillow                 ``cover``, bicubic or another filter                  ``ImageOps.fit``
=====================  ====================================================  =====================================
"""

import re
from dataclasses import dataclass, replace
from typing import Self, get_args

from contract import LEAST_CROP_FRACTION, ColorMode, CropRounding, Fit, Interpolation
from imaging import Target
from training.errors import ImportRefusedError

CHOICES = """\
  --resize stretch              to the input's size, whatever the proportions (Keras data sets, ViT)
  --resize cover                until it fills the input; the centre is cropped (Keras data sets: crop_to_aspect_ratio)
  --resize contain              until it fits the input; the rest is black (Keras data sets: pad_to_aspect_ratio)
  --resize ImageOps.fit         as Pillow's ImageOps.fit does it (Teachable Machine, with --interpolation lanczos)
  --resize shortest-edge:256 --crop 224    torchvision's Resize(256), CenterCrop(224)
  --resize stretch:256 --crop 224          torchvision's Resize((256, 256)), CenterCrop(224)"""

WITH_ANTIALIAS_ONLY: tuple[Interpolation, ...] = ("lanczos", "box", "hamming")

_OF_PILLOW = "ImageOps.fit"
_EDGE = re.compile(r"(shortest-edge|stretch):([1-9]\d{0,4})")
_SIZE = re.compile(r"([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?")


@dataclass(frozen=True, slots=True)
class Resizing:
    """One rule, in torchvision's terms.

    Attributes:
        fit: how pictures of other proportions are resized.
        edge: for ``shortest-edge`` and ``stretch``: length of the shorter side, in pixels, before the centre is
            cropped.
        interpolation: the filter.
        antialias: whether the filter widens when the picture shrinks, as Pillow's does.
        crop_rounding: how half a pixel of offset is rounded: ``round`` as torchvision does, ``floor`` as transformers;
            ``source-pixels`` where crops and padding come before the resize, as in Keras; ``target-pixels`` where
            padding comes after it, as in Keras' data sets.
        full_jpeg_decode: decode large JPEGs in full size. Decoding at a reduced size is faster and differs a little.
        exif: rotate the picture as its EXIF orientation says.
        icc: convert an embedded colour profile to sRGB.
        is_of_pillow: whether it is a rule of Pillow, also where the network is of Keras.
    """

    fit: Fit
    edge: int | None = None
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    crop_rounding: CropRounding = "round"
    full_jpeg_decode: bool = True
    exif: bool = False
    icc: bool = False
    is_of_pillow: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the value of ``--resize``.

        Raises:
            ImportRefusedError: it is none of the choices, which the error lists.
        """
        if edge := _EDGE.fullmatch(text):
            return cls("stretch" if edge[1] == "stretch" else "shortest-edge", int(edge[2]))
        if text == _OF_PILLOW:
            return cls("cover", interpolation="bicubic", is_of_pillow=True)
        if text in get_args(Fit) and text != "shortest-edge":
            return cls(text)  # type: ignore[arg-type]  # mypy does not follow get_args
        raise ImportRefusedError(f"--resize {text}: it is none of", CHOICES)

    def with_fit(self, fit: Fit) -> Self:
        """The same rule with another ``fit``; a rule of Keras' data sets stays one."""
        rounding = self.crop_rounding
        if rounding in ("source-pixels", "target-pixels"):
            rounding = "target-pixels" if fit == "contain" else "source-pixels"
        return replace(self, fit=fit, edge=None, crop_rounding=rounding)

    def crop_fraction(self, height: int, width: int) -> float:
        """The share of the shorter side that the crop keeps; the contract has this instead of ``edge``."""
        return 1.0 if self.edge is None else min(height, width) / self.edge

    @property
    def stated_rounding(self) -> CropRounding:
        """What the contract states: ``source-pixels`` only for the rules that it changes."""
        is_changed = self.fit == "cover" or (self.fit == "contain" and not self.antialias)
        return "round" if self.crop_rounding == "source-pixels" and not is_changed else self.crop_rounding

    def target(self, size: tuple[int, int], color_mode: ColorMode) -> Target:
        """The same rule as a :class:`Target`, for an input of ``size`` (height, width)."""
        height, width = size
        return Target(
            height,
            width,
            color_mode,
            self.fit,
            light_on_dark=False,
            interpolation=self.interpolation,
            antialias=self.antialias,
            crop_fraction=self.crop_fraction(height, width),
            crop_rounding=self.stated_rounding,
            is_reduced=not self.full_jpeg_decode,
            exif=self.exif,
            icc=self.icc,
        )

    def check_input(self, height: int, width: int) -> None:
        """Checks that the filter exists without antialiasing, that the crop fits, and that the contract can state it.

        Raises:
            ImportRefusedError: one of these is not so, or the crop is a very small part of that picture.
        """
        if not self.antialias and self.interpolation in WITH_ANTIALIAS_ONLY:
            raise ImportRefusedError(f"--no-antialias: {self.interpolation} has no form without antialiasing")
        if self.edge is not None and self.edge < max(height, width):
            raise ImportRefusedError(
                f"--resize {self.fit}:{self.edge}: the crop of {height} x {width} does not fit into it"
            )
        if (share := self.crop_fraction(height, width)) < LEAST_CROP_FRACTION:
            raise ImportRefusedError(
                f"--resize {self.fit}:{self.edge}: the crop of {height} x {width} keeps {share:.3g} of the shorter "
                f"side; at least {LEAST_CROP_FRACTION} is needed"
            )
        if self.fit == "stretch" and self.edge is not None and height != width:
            # A model file states one crop_fraction, which would stretch pictures to other proportions than edge x edge.
            raise ImportRefusedError(
                f"--resize stretch:{self.edge} --crop {height}x{width}: only a square crop can follow a stretch; use "
                "--resize stretch without a crop, or --resize shortest-edge"
            )

    def describe(self) -> str:
        """A description for the model card."""
        ways = {
            "stretch": "stretched to the input",
            "cover": "scaled until it fills the input, and its centre is cropped",
            "contain": "scaled until it fits the input, and padded with black",
            "shortest-edge": f"scaled until its shorter side is {self.edge} pixels, and its centre is cropped",
        }
        if self.fit == "stretch" and self.edge is not None:
            ways["stretch"] = f"stretched to {self.edge} pixels, and its centre is cropped"
        if self.stated_rounding == "source-pixels":
            done = "its centre is cropped" if self.fit == "cover" else "padded with black"
            ways[self.fit] = f"{done} to the input's proportions, in whole pixels as Keras does, and then resized"
        if self.stated_rounding == "target-pixels":
            ways["contain"] += ", as tf.image.resize_with_pad does"
        smooth = "with" if self.antialias else "without"
        return f"{ways[self.fit]} ({self.interpolation}, {smooth} antialiasing)"


def parse_size(text: str) -> tuple[int, int]:
    """Reads ``224`` or ``48x192`` as (height, width).

    Raises:
        ImportRefusedError: it is neither.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ImportRefusedError(f"--size {text}: HEIGHTxWIDTH in pixels is needed, such as 48x192, or one number")
    height = int(match[1])
    return height, int(match[2] or height)
