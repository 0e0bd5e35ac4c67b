"""The preprocessing of pixel values that a network expects: one affine rule, which becomes two nodes of the graph.

The presets, on pixels from 0 to 255:

==========  ========================================  ==========================================================
``unit``    pixel / 255                               notebooks that divide by 255
``signed``  pixel / 127.5 - 1                         keras.applications, mode "tf"
``raw``     pixel                                     networks that scale inside (Rescaling, Normalization layers)
``imagenet``  (pixel / 255 - mean) / std of ImageNet  torchvision; keras.applications, mode "torch"
``caffe``   BGR, minus the means of ImageNet          keras.applications, mode "caffe"
==========  ========================================  ==========================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from training.errors import ImportRefusedError

ChannelOrder = Literal["RGB", "BGR"]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)
_UNIT_MEANS = (0.1, 0.9)
_UNIT_STDS = (0.1, 0.6)
"""The means and deviations of data sets, and 0.5, on 0 to 1; after a normalisation, they are near 0 and 1."""
_KEYS = ("mean", "std", "order", "scale")
_ORDERED = ",order="
_TWICE = ",twice"

CHOICES = """\
  --preprocessing unit       pixel / 255, from 0 to 1
  --preprocessing signed     pixel / 127.5 - 1, from -1 to 1 (keras.applications: MobileNet, Inception, ResNetV2)
  --preprocessing raw        pixel as it is, from 0 to 255 (networks with a Rescaling or Normalization layer)
  --preprocessing imagenet   (pixel / 255 - mean) / std of ImageNet (torchvision, timm, keras.applications: DenseNet)
  --preprocessing caffe      BGR minus the means of ImageNet (keras.applications: ResNet50, VGG16)
  --preprocessing mean=0.5,0.5,0.5,std=0.25,0.25,0.25            on 0 to 1, as in torchvision; add ,order=BGR for BGR
  --preprocessing raw        for per_image_standardization, which has no rule here: put it into the network
  --preprocessing unit,order=BGR   the same on BGR; likewise signed and raw
  --preprocessing unit,twice       the same before the network's own scaling, if the notebook did both
  --preprocessing mean=123.7,116.3,103.5,std=58.4,57.1,57.4,scale=255   the same on 0 to 255"""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """``value = (pixel - mean) / std``, one mean and one std per channel.

    Attributes:
        mean: of pixels from 0 to 255, in the order of the network's channels; one value stands for all channels.
        std: of pixels from 0 to 255, as ``mean``; never 0.
        order: of the channels that the network takes.
        name: the text of the option, for the model card.
        is_twice: whether it is stated to come before the scaling that the network does itself.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: ChannelOrder = "RGB"
    name: str = ""
    is_twice: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the value of ``--preprocessing``.

        Raises:
            ImportRefusedError: it is none of the choices, which the error lists.
        """
        presets = {
            "unit": cls((0.0,), (255.0,), name="unit"),
            "signed": cls((127.5,), (127.5,), name="signed"),
            "raw": cls((0.0,), (1.0,), name="raw"),
            "imagenet": cls.on_unit_range(_IMAGENET_MEAN, _IMAGENET_STD, name="imagenet"),
            "caffe": cls(_CAFFE_MEAN, (1.0,), order="BGR", name="caffe"),
        }
        if text in presets:
            return presets[text]
        if f"{_TWICE}," in f"{text},":
            first = cls.parse(text.replace(_TWICE, "", 1))
            if first.is_twice:
                raise ImportRefusedError(f"--preprocessing {text}: say it once, such as unit,twice")
            return replace(first, name=text, is_twice=True)
        name, is_ordered, order = text.partition(_ORDERED)
        plain = presets.get(name)
        if plain is not None and is_ordered and order in get_args(ChannelOrder):
            if len(plain.mean) > 1:
                raise ImportRefusedError(
                    f"--preprocessing {text}: {plain.name} has its own order; say the means in the order of the "
                    "network's channels: mean=..,std=..,order=BGR"
                )
            return cls(plain.mean, plain.std, "BGR" if order == "BGR" else "RGB", text)
        if "=" not in text:
            raise ImportRefusedError(f"--preprocessing {text}: it is none of", CHOICES)
        return cls._from_values(text)

    @classmethod
    def on_unit_range(
        cls,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        order: ChannelOrder = "RGB",
        name: str = "",
        white: float = 255.0,
    ) -> Self:
        """Makes a rule from mean and std of pixels divided by ``white``, as torchvision and transformers state them.

        Raises:
            ImportRefusedError: a std is 0 or less.
        """
        if any(not value > 0 for value in std):
            raise ImportRefusedError(f"a std of {min(std)} cannot be divided by: each must be above 0")
        return cls(tuple(value * white for value in mean), tuple(value * white for value in std), order, name)

    @property
    def keeps_values(self) -> bool:
        """Whether values stay as they are; channels may be reversed."""
        return set(self.mean) == {0.0} and set(self.std) == {1.0}

    @property
    def is_unit(self) -> bool:
        """Whether pixels are divided by 255 and nothing else; channels may be reversed."""
        return set(self.mean) == {0.0} and set(self.std) == {255.0}

    @property
    def fits_unit_range(self) -> bool:
        """Whether the means and deviations are as those of pixels from 0 to 1."""
        return all(
            low <= value <= high
            for values, (low, high) in ((self.mean, _UNIT_MEANS), (self.std, _UNIT_STDS))
            for value in values
        )

    @property
    def names_order(self) -> bool:
        """Whether the text of the option names the order of the channels."""
        return _ORDERED in f",{self.name}" or self.order == "BGR"

    @property
    def is_identity(self) -> bool:
        """Whether pixels stay as they are."""
        return self.keeps_values and self.order == "RGB"

    def equals(self, other: "Preprocessing") -> bool:
        """Whether it does the same to every pixel, up to rounding in float32."""
        grey = np.array([[0], [255]], np.uint8) * np.ones(3, np.uint8)
        mine, theirs = (rule.apply(grey) for rule in (self, other))
        return self.order == other.order and bool(np.allclose(mine, theirs, rtol=1e-5, atol=1e-5))

    def check_channels(self, channels: int) -> None:
        """Checks that there is one value for each channel.

        Raises:
            ImportRefusedError: there is another number of them, or BGR is asked of a grey network.
        """
        for what, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise ImportRefusedError(
                    f"--preprocessing {self.name}: it has {len(values)} values of {what}; "
                    f"the network takes {channels} channel{'s' * (channels > 1)}"
                )
        if self.order == "BGR" and channels != 3:
            raise ImportRefusedError(f"--preprocessing {self.name}: BGR needs 3 channels; the network takes {channels}")

    def check_type(self, dtype: np.dtype[Any]) -> None:
        """Checks that a network with uint8 input gets unscaled pixels.

        Raises:
            ImportRefusedError: the results of this rule do not fit into uint8.
        """
        if dtype == np.uint8 and not self.keeps_values:
            raise ImportRefusedError(
                f"--preprocessing {self.name}: the network takes uint8, which cannot hold its values; such a network "
                "scales pixels itself. Say --preprocessing raw (or raw,order=BGR)"
            )

    def apply(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Applies the rule with numpy: uint8 [N, H, W, C] to float32 [N, H, W, C]."""
        values = images[..., ::-1] if self.order == "BGR" else images
        scaled = (values.astype(np.float64) - np.array(self.mean)) / np.array(self.std)
        single: NDArray[np.float32] = scaled.astype(np.float32)
        return single

    def describe(self) -> str:
        """A description for the model card."""
        if self.is_identity:
            return "pixels from 0 to 255 as they are"
        if self.keeps_values:
            return "pixels from 0 to 255 as they are, channels in the order BGR"
        numbers = f"(pixel - {_listed(self.mean)}) / {_listed(self.std)}"
        return (
            f"{numbers}, channels in the order {self.order}" if len(self.mean) > 1 or self.order == "BGR" else numbers
        )

    @classmethod
    def _from_values(cls, text: str) -> Self:
        values: dict[str, list[str]] = {}
        key = ""
        for word in text.split(","):
            name, equals, value = word.partition("=")
            if equals:
                key = name.strip()
                if key not in _KEYS or key in values:
                    raise ImportRefusedError(f"--preprocessing {text}: {key!r} is not one of {', '.join(_KEYS)}, once")
                values[key] = [value]
            elif key:
                values[key].append(word)
            else:
                raise ImportRefusedError(f"--preprocessing {text}: {word!r} is none of", CHOICES)
        try:
            mean = [float(value) for value in values.get("mean", ["0"])]
            std = [float(value) for value in values.get("std", ["1"])]
            (scale,) = (float(value) for value in values.get("scale", ["1"]))
        except ValueError:
            raise ImportRefusedError(f"--preprocessing {text}: a value is not a number; examples:", CHOICES) from None
        order = values.get("order", ["RGB"])
        if order not in (["RGB"], ["BGR"]) or scale not in (1.0, 255.0):
            raise ImportRefusedError(f"--preprocessing {text}: order is RGB or BGR, scale is 1 or 255")
        if not np.isfinite([*mean, *std]).all():
            raise ImportRefusedError(f"--preprocessing {text}: a value is not finite")
        if scale == 1 and max(map(abs, (*mean, *std))) > 1:
            raise ImportRefusedError(
                f"--preprocessing {text}: values above 1 do not belong to pixels from 0 to 1; "
                f"for pixels from 0 to 255 write --preprocessing {text},scale=255"
            )
        chosen: ChannelOrder = "BGR" if order == ["BGR"] else "RGB"
        return cls.on_unit_range(mean, std, order=chosen, name=text, white=255.0 / scale)


def _listed(values: Sequence[float]) -> str:
    shown = [f"{value:.6g}" for value in values]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
