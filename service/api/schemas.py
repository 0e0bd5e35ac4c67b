"""The JSON documents of the API, as the OpenAPI schema describes them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from contract import ColorMode, CropRounding, Fit, Interpolation, JpegDecode, Polarity
from service.api.described_parameters import PARAMETERS, encoded_images

_ANSWER: dict[str, Any] = {
    "model": "cifar10",
    "version": "1",
    "predictions": [
        {
            "label": "cat",
            "index": 3,
            "probability": 0.69854724,
            "probabilities": {
                "airplane": 0.0028193002,
                "automobile": 0.0042253584,
                "bird": 0.00020019314,
                "cat": 0.69854724,
                "deer": 0.00019349021,
                "dog": 0.27147987,
                "frog": 0.0037046582,
                "horse": 0.0017923537,
                "ship": 0.0063574,
                "truck": 0.010680058,
            },
        }
    ],
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNoaGgAAAMEAYFL09IQAAAAAElFTkSuQmCC"


class RankedLabel(BaseModel):
    """One label of ``top``."""

    label: str = Field(examples=["cat"])
    index: int = Field(description="Column of the label, from 0.", examples=[3])
    probability: float = Field(ge=0, le=1, examples=[0.97])


class PictureWarning(BaseModel):
    """What was done to a picture, or what may be wrong with it."""

    code: Literal[
        "blank", "inverted", "upscaled", "cropped", "stretched", "transparent", "turned", "color-profile", "unfamiliar"
    ]
    detail: str = Field(description="What was found, as text for people.")


class Receipt(BaseModel):
    """Data with which `convoy verify` repeats a prediction. It has the hash of the picture's file or of its pixels."""

    receipt_version: int = Field(examples=[1])
    model: str
    version: str
    model_sha256: str = Field(description="Hash of the model's file.")
    picture_sha256: str | None = Field(None, description="Hash of the picture's file, after decoding of base64.")
    pixels_sha256: str | None = Field(
        None, description="Hash of the picture's uint8 [H, W, C], where pixels were sent."
    )
    prepare: Literal["none", "digit"]
    fit: dict[str, Any] = Field(description="How the picture was resized and cropped to the input.")
    temperature: float = Field(description="The logits were divided by it.")
    contract_version: int = Field(description="Version of the rules for model files.")
    provider: str = Field(examples=["cpu"])
    convoy: str = Field(description="Version of the service.")
    decoder: str = Field(examples=["pillow 13.0.0"])
    runtime: str = Field(examples=["onnxruntime 1.31.1"])
    batch_size: int = Field(description="Images in the largest run of the request.")
    probabilities: list[float] = Field(description="Probability of every label, in label order.")


class Prediction(BaseModel):
    """The model's prediction for one picture."""

    label: str | None = Field(
        description="The most probable label; null where its probability is below `min_confidence`, or where a "
        "multi-label model finds no label.",
        examples=["cat"],
    )
    index: int | None = Field(description="Its column, from 0.", examples=[3])
    probability: Annotated[float, Field(ge=0, le=1)] | None = Field(
        description="Its calibrated probability.", examples=[0.97]
    )
    probabilities: dict[str, float] | None = Field(
        None,
        description="Every label's probability, in label order; they sum to 1 except for multi-label models. For "
        "models with more than 100 labels only on request.",
    )
    top: list[RankedLabel] | None = Field(
        None, description="The most probable labels; on request, and for models with more than 100 labels."
    )
    labels: list[str] | None = Field(
        None,
        description="For multi-label models: the labels with a probability of at least 0.5, the highest first.",
    )
    file: str | None = Field(None, description="The file's name, where the form gives one.", examples=["cat.jpg"])
    warnings: list[PictureWarning] | None = Field(None, description="Left out where there are none.")
    reason: str | None = Field(None, description="With `min_confidence`: why `label` is null.")
    label_set: list[str] | None = Field(
        None,
        description="With `coverage`: labels that include the right one with that probability, most probable first.",
    )
    familiarity: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="With `familiarity=true`: share of held-out pictures that look less familiar to the model.",
    )
    receipt: Receipt | None = Field(None, description="With `receipt=true`.")


class PictureProblem(BaseModel):
    """Why one picture has no prediction (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(description="What is wrong and what is allowed.")


class FailedPrediction(BaseModel):
    """Replaces the prediction of a bad picture, with `on_error=report`."""

    file: str | None = Field(None, description="The file's name, where the form gives one.", examples=["notes.txt"])
    error: PictureProblem


class PredictionAnswer(BaseModel):
    """One prediction per picture, in the order sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ANSWER]})

    model: str = Field(examples=["cifar10"])
    version: str = Field(examples=["1"])
    predictions: list[Prediction | FailedPrediction]


EncodedImages = encoded_images(
    "EncodedImages",
    "Pictures inside JSON.",
    PARAMETERS,
    {"images": [PIXEL]},
    most_images=None,
    text="Files in base64, plain or as data URLs, in one line or several, padded or not.",
)


class InputDescription(BaseModel):
    """The network's input, and how a picture is changed to it."""

    height: int = Field(examples=[32])
    width: int = Field(examples=[32])
    channels: int = Field(examples=[3])
    color_mode: ColorMode
    fit: Fit = Field(description="How pictures with another aspect ratio are fitted.")
    polarity: Polarity = Field(description="light-on-dark: pictures with a light border are inverted.")
    interpolation: Interpolation = Field(description="Filter of the resize.")
    antialias: bool = Field(description="Whether the filter is widened when a picture is made smaller.")
    crop_fraction: float = Field(description="Share of the shorter side that the crop keeps.", examples=[1.0])
    crop_rounding: CropRounding = Field(
        description="How the offset of the centre crop is rounded at half a pixel. source-pixels: the picture is "
        "cropped or padded in whole pixels before it is resized. target-pixels: it is padded after it was resized to "
        "whole pixels, rounded down."
    )
    jpeg_decode: JpegDecode = Field(
        description="reduced: large pictures are reduced by a whole factor before the resize."
    )
    exif: bool = Field(description="Whether pictures are rotated by their EXIF orientation.")
    icc: bool = Field(description="Whether embedded colour profiles are converted to sRGB.")


class ModelVersion(BaseModel):
    """One served version of a model."""

    version: str = Field(examples=["1"])
    labels: list[str] = Field(description="The labels as in answers; equal ones have their id in brackets.")
    class_ids: list[str] | None = Field(description="An identifier for each label; null: the model has none.")
    multi_label: bool = Field(description="Whether the labels are independent; then probabilities do not sum to 1.")
    input: InputDescription
    preprocessing_proof: str | None = Field(
        description="Evidence that pictures are prepared as in training; null: not stated."
    )
    provider: str = Field(
        description="The execution provider on which it runs, or will run once it is loaded.",
        examples=["cpu"],
    )
    loaded: bool = Field(description="Whether it is in memory; if not, its first request waits until it is.")
    accuracy: float | None = Field(
        description="Measured on the served file over the whole test set; null: not measured.", examples=[0.7425]
    )
    accuracy_interval: tuple[float, float] | None = Field(
        description="95 % confidence interval (Wilson) of the accuracy, from `test_images` images; null: not measured.",
        examples=[(0.8276, 0.8421)],
    )
    expected_calibration_error: float | None = Field(description="null: not measured.", examples=[0.0061])
    test_images: int | None = Field(description="null: not measured.", examples=[10000])
    coverages: list[float] = Field(
        description="The allowed values of `coverage`; empty: the model has no thresholds.",
        examples=[[0.9, 0.95, 0.98, 0.99]],
    )
    familiarity: str | None = Field(
        description="What `familiarity` compares: `entropy` of the probabilities, or `features` of the network too; "
        "null: not available."
    )
    data: str = Field(description="The data set that it was trained on.", examples=["CIFAR-10"])
    licence: str
    citation: str
    created: str
    commit: str
    samples: int = Field(description="Golden images: inputs whose answers are known.", examples=[4])


class ModelDescription(BaseModel):
    """A model and its served versions, oldest first."""

    name: str = Field(examples=["cifar10"])
    default_version: str | None = Field(
        description="The version that answers where none is named; null: the repository's default is not served.",
        examples=["1"],
    )
    version_labels: dict[str, str] = Field(
        description="The version of each label, from the model's file `version_labels`.",
        examples=[{"stable": "1"}],
    )
    versions: list[ModelVersion]


class ModelList(BaseModel):
    """Every served model."""

    default_model: str | None = Field(
        description="The model that answers where none is named; null: requests must name one.", examples=["cifar10"]
    )
    models: list[ModelDescription]


class Live(BaseModel):
    """The process answers."""

    live: bool


class Ready(BaseModel):
    """Whether the service accepts requests."""

    ready: bool
    models: dict[str, str] = Field(
        description="Each model that answers as name/version, with its execution provider.",
        examples=[{"cifar10/1": "cpu"}],
    )


class ImageFault(BaseModel):
    """Why one picture cannot be used."""

    index: int = Field(description="Its index in the request, from 0.", examples=[0])
    filename: str | None = Field(examples=["notes.txt"])
    detail: str = Field(
        examples=["it is not a picture in a known format; send PNG, JPEG, WebP, BMP, GIF, TIFF, AVIF or HEIC"]
    )


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field("about:blank")
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="What is wrong and what is allowed.", examples=["no model 'cat' is served"])
    errors: list[ImageFault] | None = Field(None, description="One entry for each bad picture.")
