"""The defaults of transformers' image processor classes, for values that ``preprocessor_config.json`` leaves out.

Source: transformers 5.24, models/*/image_processing_pil_*.py of every class that AutoImageProcessor pairs with an image
classifier. A class that is not in the table is refused, since its behaviour is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

_HALF: Final = ((0.5,) * 3, (0.5,) * 3)
_IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_OPENAI: Final = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_BILINEAR: Final = 2
_BICUBIC: Final = 3

Special = Literal["", "crop-pct", "crop-pct-below-384", "256-of-224", "twice", "bgr"]


@dataclass(frozen=True, slots=True)
class Processor:
    """One processor class with its default values.

    Attributes:
        is_square: whether a single number as ``size`` means both sides, not the shortest edge (transformers#24070).
        size: default of ``size``, in pixels: both sides or the shortest edge.
        crop: side of the centre crop, in pixels; None where the class has none.
        crops: whether the class crops if the file does not say so.
        resample: Pillow's number of the filter.
        statistics: mean and std; None where the class does not normalise.
        special: its step besides resize, crop, rescale and normalise.
    """

    is_square: bool = True
    size: int = 224
    crop: int | None = None
    crops: bool = True
    resample: int = _BICUBIC
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = _HALF
    special: Special = ""


_EDGE: Final = Processor(is_square=False, crop=224, statistics=_OPENAI)
_MOBILENET: Final = Processor(is_square=False, size=256, crop=224, resample=_BILINEAR)

PROCESSORS: Final[Mapping[str, Processor]] = MappingProxyType(
    {
        "ViT": Processor(resample=_BILINEAR),
        "Beit": Processor(),
        "DeiT": Processor(size=256, crop=224),
        "Bit": _EDGE,
        "CLIP": _EDGE,
        "ConvNext": Processor(is_square=False, size=384, special="crop-pct-below-384"),
        "EfficientNet": Processor(size=346, crop=289, crops=False, special="twice"),
        "Levit": Processor(is_square=False, crop=224, statistics=_IMAGENET, special="256-of-224"),
        "MobileNetV1": _MOBILENET,
        "MobileNetV2": _MOBILENET,
        "MobileViT": Processor(is_square=False, crop=256, statistics=None, special="bgr"),
        "PoolFormer": Processor(is_square=False, crop=224, statistics=_IMAGENET, special="crop-pct"),
        "Pvt": Processor(statistics=_IMAGENET),
        "Segformer": Processor(size=512, resample=_BILINEAR, statistics=_IMAGENET),
        "Siglip": Processor(),
    }
)
"""The classes by name, without `ImageProcessor`, `FeatureExtractor`, `Fast` and `Pil`."""

_MODEL_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "vit": "ViT",
        "swin": "ViT",
        "swinv2": "ViT",
        "beit": "Beit",
        "data2vec-vision": "Beit",
        "deit": "DeiT",
        "dinov2": "Bit",
        "bit": "Bit",
        "clip": "CLIP",
        "convnext": "ConvNext",
        "convnextv2": "ConvNext",
        "cvt": "ConvNext",
        "regnet": "ConvNext",
        "resnet": "ConvNext",
        "efficientnet": "EfficientNet",
        "levit": "Levit",
        "mobilenet_v1": "MobileNetV1",
        "mobilenet_v2": "MobileNetV2",
        "mobilevit": "MobileViT",
        "mobilevitv2": "MobileViT",
        "poolformer": "PoolFormer",
        "pvt": "Pvt",
        "pvt_v2": "Pvt",
        "segformer": "Segformer",
        "siglip": "Siglip",
    }
)
_ENDINGS: Final = ("Fast", "Pil", "ImageProcessor", "FeatureExtractor")


def find_processor(kind: str, model_type: str) -> Processor | None:
    """The class that a file names, or else the usual one for the model type; None where it is not known."""
    for ending in _ENDINGS:
        kind = kind.removesuffix(ending)
    return PROCESSORS.get(kind or _MODEL_TYPES.get(model_type, ""))
