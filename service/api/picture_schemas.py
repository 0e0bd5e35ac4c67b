"""The JSON documents of the routes that say more about one picture, as the OpenAPI schema describes them."""

from typing import Literal

from pydantic import BaseModel, Field

from service.api.described_parameters import encoded_images
from service.api.schemas import PIXEL, PictureWarning

PICTURE_PARAMETERS = ("model", "version", "prepare")
"""That suit a request about one picture."""

EncodedImage = encoded_images(
    "EncodedImage",
    "One picture inside JSON.",
    PICTURE_PARAMETERS,
    {"images": [PIXEL]},
    most_images=1,
    text="A file in base64, plain or as a data URL.",
)


class InputSize(BaseModel):
    """The input of a network."""

    width: int
    height: int
    channels: int


class SourceSize(BaseModel):
    """The upright picture, in pixels."""

    width: int
    height: int


class SourceBox(BaseModel):
    """A part of the upright picture, in its pixels."""

    left: float
    top: float
    right: float
    bottom: float


class SeenInput(BaseModel):
    """What the network sees of a picture."""

    model: str
    version: str
    input: InputSize
    source: SourceSize
    box: SourceBox = Field(description="The part of the picture that the network gets.")
    warnings: list[PictureWarning] = Field(description="As in a prediction; empty where there is nothing to say.")
    image: str = Field(description="The pixels that the network gets, as PNG in a data URL.")


class ExplanationAnswer(BaseModel):
    """Which pixels spoke for a class."""

    model: str
    version: str
    method: Literal["hirescam", "occlusion"] = Field(
        description="`hirescam` is exact; `occlusion` hides parts of the picture."
    )
    label: str = Field(description="The class that is explained.")
    index: int = Field(description="Its column, from 0.")
    probability: float = Field(description="That the model gave it.")
    map: list[list[float]] = Field(
        description="[H, W], of the network's input: positive spoke for the class, negative against it. In logits "
        "(`hirescam`) or log-odds (`occlusion`)."
    )


class Mosaic(BaseModel):
    """Many small pictures in one."""

    shown: int = Field(description="How many: the first ones.")
    image: str = Field(description="PNG in a data URL; eight in a row.")


class KernelMosaic(Mosaic):
    """The kernels of the first convolution."""

    count: int = Field(description="How many there are.")
    shape: list[int] = Field(description="Of each: [C, h, w].")


class NetworkLayer(BaseModel):
    """One layer of a network, with what follows it up to the next one."""

    kind: str = Field(examples=["convolution"])
    then: list[str] = Field(description="Operations after it that leave the shape as it is.", examples=[["Relu"]])
    input: list[int] = Field(description="Shape of what it takes, without N.", examples=[[3, 32, 32]])
    output: list[int] = Field(description="Shape of what it makes, without N.", examples=[[16, 32, 32]])
    formula: str | None = Field(
        description="How the width follows: (W - F + 2P) / S + 1; null where it is not of that kind.",
        examples=["(32 - 3 + 2 x 1) / 1 + 1 = 32"],
    )
    parameters: int = Field(description="Weights and biases.", examples=[448])
    maps: Mosaic | None = Field(description="What it makes of the picture; null where it has no places.")


class LayersAnswer(BaseModel):
    """The inside of a network."""

    model: str
    version: str
    layers: list[NetworkLayer]
    kernels: KernelMosaic | None = Field(description="Of the first convolution; null where there are none to show.")
    notes: list[str] = Field(description="What could not be shown, and why.")
