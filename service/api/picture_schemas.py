"""The JSON documents of the routes that explain the prediction of one picture, as the OpenAPI schema describes them."""

from typing import Literal

from pydantic import BaseModel, Field

from service.api.described_parameters import encoded_images
from service.api.schemas import PIXEL, PictureWarning

PICTURE_PARAMETERS = ("model", "version", "prepare")
"""The parameters that apply to a request with one picture."""

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
    """Size of the picture after EXIF rotation, in pixels."""

    width: int
    height: int


class SourceBox(BaseModel):
    """A part of the picture after EXIF rotation, in its pixels."""

    left: float
    top: float
    right: float
    bottom: float


class SeenInput(BaseModel):
    """The network's input made from a picture."""

    model: str
    version: str
    input: InputSize
    source: SourceSize
    box: SourceBox = Field(description="The part of the picture that the network gets.")
    warnings: list[PictureWarning] = Field(description="As in a prediction; empty where there are none.")
    image: str = Field(description="The pixels that the network gets, as PNG in a data URL.")


class ExplanationAnswer(BaseModel):
    """Which pixels are evidence for a class, and which against it."""

    model: str
    version: str
    method: Literal["hirescam", "occlusion"] = Field(
        description="`hirescam` is exact; `occlusion` hides parts of the picture."
    )
    label: str = Field(description="The class that is explained.")
    index: int = Field(description="The column of this class, from 0.")
    probability: float = Field(description="The model's probability for this class.")
    map: list[list[float]] = Field(
        description="[H, W], of the network's input: positive is evidence for the class, negative against it. In "
        "logits (`hirescam`) or log-odds (`occlusion`)."
    )


class Mosaic(BaseModel):
    """Many small pictures in one."""

    shown: int = Field(description="Number of pictures shown; they are the first ones.")
    image: str = Field(description="PNG in a data URL; eight in a row.")


class KernelMosaic(Mosaic):
    """The kernels of the first convolution."""

    count: int = Field(description="Number of kernels of the layer.")
    shape: list[int] = Field(description="Shape of one kernel, [C, h, w].")


class NetworkLayer(BaseModel):
    """One layer of a network, with the operations between it and the next one."""

    kind: str = Field(examples=["convolution"])
    then: list[str] = Field(description="Operations after it that leave the shape as it is.", examples=[["Relu"]])
    input: list[int] = Field(description="Shape of its input, without N.", examples=[[3, 32, 32]])
    output: list[int] = Field(description="Shape of its output, without N.", examples=[[16, 32, 32]])
    formula: str | None = Field(
        description="The output width: (W - F + 2P) / S + 1; null for a layer without this formula.",
        examples=["(32 - 3 + 2 x 1) / 1 + 1 = 32"],
    )
    parameters: int = Field(description="Weights and biases.", examples=[448])
    maps: Mosaic | None = Field(description="Its output maps for the picture; null where its output has no H and W.")


class LayersAnswer(BaseModel):
    """The first layers of a network."""

    model: str
    version: str
    layers: list[NetworkLayer]
    kernels: KernelMosaic | None = Field(description="Kernels of the first convolution; null where there are none.")
    notes: list[str] = Field(description="What could not be shown, and why.")
