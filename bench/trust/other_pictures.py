"""Fixed sets of pictures that are unlike a model's training pictures, as uint8 [N, H, W, C]."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imaging import Target
from training.data.picture import read_picture

Pictures = NDArray[np.uint8]

_EACH = 2000
_LUMA = np.array([0.299, 0.587, 0.114])
_THINGS = ("clothes", "food", "hobbies", "household", "medical", "plants", "sports")
_LETTERS = "ABCDEFGHKMNPQRTUVWXYabdefghkmnpqrtuvwxy"  # none that looks like a digit


def beside_photographs(photographs: Pictures, digits: Pictures) -> Mapping[str, Pictures]:
    """Pictures for CIFAR-10's models, made from its test images and those of MNIST."""
    random = np.random.default_rng(0)
    size = photographs.shape[1]
    padded = np.pad(digits[:_EACH], ((0, 0), (2, 2), (2, 2), (0, 0)))
    return {
        "digits": np.repeat(padded, 3, axis=3),
        "grey": np.repeat(_grey(photographs[:_EACH]), 3, axis=3),
        "noise": random.integers(0, 256, (_EACH, size, size, 3), np.uint8),
        "shuffled patches": _shuffled(photographs[:_EACH], random),
        "inverted": 255 - photographs[:_EACH],
        "blank": _blank(random, (size, size, 3)),
    }


def beside_digits(digits: Pictures, photographs: Pictures) -> Mapping[str, Pictures]:
    """Pictures for MNIST's models, made from its test images and those of CIFAR-10."""
    random = np.random.default_rng(0)
    size = digits.shape[1]
    return {
        "inverted": 255 - digits[:_EACH],
        "letters": _letters(random, size),
        "photographs": np.ascontiguousarray(_grey(photographs[:_EACH])[:, 2:-2, 2:-2]),
        "noise": random.integers(0, 256, (_EACH, size, size, 1), np.uint8),
        "blank": _blank(random, (size, size, 1)),
    }


def of_things(stamps: Path, target: Target) -> Pictures:
    """Cut-out photographs of food, plants, clothes and other things on white, as the service reads them.

    Args:
        stamps: the folder ``usr/share/tuxpaint/stamps`` of Debian's package ``tuxpaint-stamps-default``.
        target: of the model.
    """
    paths = sorted(path for kind in _THINGS for path in (stamps / kind).rglob("*.png") if "cartoon" not in path.parts)
    return np.stack([read_picture(path, target) for path in paths])


def _grey(photographs: Pictures) -> Pictures:
    grey: Pictures = (photographs @ _LUMA).round().astype(np.uint8)[..., np.newaxis]
    return grey


def _shuffled(photographs: Pictures, random: np.random.Generator) -> Pictures:
    """The 16 patches of each picture in another order."""
    count, size, _, channels = photographs.shape
    side = size // 4
    patches = photographs.reshape(count, 4, side, 4, side, channels).transpose(0, 1, 3, 2, 4, 5)
    patches = patches.reshape(count, 16, side, side, channels)
    mixed = np.stack([picture[random.permutation(16)] for picture in patches])
    whole = mixed.reshape(count, 4, 4, side, side, channels).transpose(0, 1, 3, 2, 4, 5)
    return np.ascontiguousarray(whole.reshape(photographs.shape))


def _blank(random: np.random.Generator, shape: tuple[int, int, int]) -> Pictures:
    return np.repeat(np.repeat(random.integers(0, 256, (500, 1, 1, shape[2]), np.uint8), shape[0], 1), shape[1], 2)


def _letters(random: np.random.Generator, size: int) -> Pictures:
    """Letters in the fonts of matplotlib, rotated by up to 12 degrees."""
    import matplotlib as mpl  # noqa: PLC0415  of the extra `training`

    fonts = sorted((Path(mpl.get_data_path()) / "fonts" / "ttf").glob("DejaVu*.ttf"))
    pictures = []
    for place in range(1000):
        picture = Image.new("L", (size, size))
        font = ImageFont.truetype(fonts[place % len(fonts)], 20)
        letter = _LETTERS[place % len(_LETTERS)]
        ImageDraw.Draw(picture).text((size / 2, size / 2), letter, fill=255, font=font, anchor="mm")
        turned = picture.rotate(random.uniform(-12, 12), Image.Resampling.BILINEAR)
        pictures.append(np.asarray(turned)[..., np.newaxis])
    return np.stack(pictures)
