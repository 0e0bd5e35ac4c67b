"""The protocol's JSON documents, as the OpenAPI schema describes them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Size = Annotated[int, Field(ge=0)]


class InferenceError(BaseModel):
    """The protocol's error document."""

    error: str = Field(examples=["no model 'dog' is served; served: cifar10, mnist"])


class ServerLive(BaseModel):
    """The process answers."""

    live: bool = Field(examples=[True])


class ServerReady(BaseModel):
    """Whether the server accepts requests."""

    ready: bool = Field(examples=[True])


class ModelReady(BaseModel):
    """Whether a model answers."""

    name: str = Field(examples=["cifar10"])
    ready: bool = Field(examples=[True])


class ServerMetadata(BaseModel):
    """Name, version and extensions of the server."""

    name: str = Field(examples=["convoy"])
    version: str = Field(examples=["0.1.0"])
    extensions: list[str] = Field(examples=[["binary_tensor_data", "classification"]])


class TensorMetadata(BaseModel):
    """One input or output; -1 in its shape is a variable size."""

    name: str = Field(examples=["image"])
    datatype: str = Field(examples=["UINT8"])
    shape: list[int] = Field(examples=[[-1, 32, 32, 3]])


class ModelMetadataDocument(BaseModel):
    """Inputs and outputs of a model. A request sends one of the inputs."""

    name: str = Field(examples=["cifar10"])
    versions: list[str] = Field(examples=[["1"]])
    platform: str = Field(examples=["onnxruntime_onnx"])
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ConfiguredTensor(BaseModel):
    """One input or output, without its batch."""

    name: str = Field(examples=["image"])
    data_type: str = Field(examples=["TYPE_UINT8"])
    dims: list[int] = Field(examples=[[32, 32, 3]])
    format: str | None = Field(default=None, examples=["FORMAT_NHWC"])
    optional: bool | None = Field(default=None, examples=[True])


class ModelConfiguration(BaseModel):
    """How a model is served."""

    model_config = ConfigDict(protected_namespaces=())

    name: str = Field(examples=["cifar10"])
    platform: str = Field(examples=["onnxruntime_onnx"])
    backend: str = Field(examples=["onnxruntime"])
    max_batch_size: int = Field(description="Most pictures in one request.", examples=[1024])
    input: list[ConfiguredTensor]
    output: list[ConfiguredTensor]
    dynamic_batching: dict[str, Any] = Field(examples=[{}])


class Duration(BaseModel):
    """A count, and the sum of the durations in nanoseconds."""

    count: int = Field(examples=[20])
    ns: int = Field(examples=[1_900_000])


class InferenceStatistics(BaseModel):
    """Times of the stages."""

    success: Duration
    fail: Duration = Field(
        description="Classifications that ended in an error. Requests refused before them, such as those with a wrong "
        "shape or broken JSON, and explanations are not counted. Their time is not measured, so it is 0."
    )
    queue: Duration
    compute_input: Duration = Field(description="Decoding.")
    compute_infer: Duration = Field(description="Runs of the session; each counts for every request that was in it.")
    compute_output: Duration = Field(description="A part of `compute_infer`, so its time is 0.")


class ModelStatistics(BaseModel):
    """What one version of a model has done since the start."""

    name: str = Field(examples=["cifar10"])
    version: str = Field(examples=["1"])
    inference_count: int = Field(description="Pictures classified.", examples=[160])
    execution_count: int = Field(description="Runs of the session.", examples=[20])
    inference_stats: InferenceStatistics
    batch_stats: list[dict[str, Any]] = Field(description="Empty: not counted by the size of batches.", examples=[[]])


class Statistics(BaseModel):
    """What the models have done."""

    model_config = ConfigDict(protected_namespaces=())

    model_stats: list[ModelStatistics]


class RepositoryIndexRequest(BaseModel):
    """Which models to list."""

    model_config = ConfigDict(extra="forbid")

    ready: bool = Field(default=False, description="Only those that answer.")


class RepositoryEntry(BaseModel):
    """One version of one model."""

    name: str = Field(examples=["cifar10"])
    version: str = Field(examples=["1"])
    state: Literal["READY", "UNAVAILABLE"]
    reason: str = Field(description="Why it is unavailable; empty where it is not.", examples=[""])


class ModelControlParameters(BaseModel):
    """What to load or unload."""

    model_config = ConfigDict(extra="forbid")

    version: str | None = Field(default=None, description="One version; all of them where left out.", examples=["1"])
    unload_dependents: bool = Field(default=False, description="Has no effect: no model depends on another.")


class ModelControlRequest(BaseModel):
    """What to load or unload."""

    model_config = ConfigDict(extra="forbid")

    parameters: ModelControlParameters = ModelControlParameters()


class ModelControlAnswer(BaseModel):
    """What was loaded or unloaded."""

    name: str = Field(examples=["cifar10"])
    versions: list[str] = Field(examples=[["1"]])
    load: bool | None = Field(default=None, description="true: it was loaded.", examples=[True])
    unload: bool | None = Field(default=None, description="true: it was unloaded.", examples=[True])


class TensorParameters(BaseModel):
    """How the elements of an input are sent."""

    binary_data_size: Size | None = Field(default=None, description="As so many raw bytes after the JSON.")


class ImageInput(BaseModel):
    """Pixels as the model takes them."""

    name: Literal["image"]
    datatype: Literal["UINT8"]
    shape: list[Size] = Field(description="[N, H, W, C].", min_length=4, max_length=4, examples=[[1, 32, 32, 3]])
    data: list[Any] | None = Field(default=None, description="Whole numbers 0 to 255, flat or nested as the shape.")
    parameters: TensorParameters | None = None


class EncodedInput(BaseModel):
    """Picture files, which the service decodes."""

    name: Literal["encoded"]
    datatype: Literal["BYTES"]
    shape: list[Size] = Field(description="[N].", min_length=1, max_length=2, examples=[[1]])
    data: list[Any] | None = Field(default=None, description="The files in base64, plain or as data URLs.")
    parameters: TensorParameters | None = None


class OutputParameters(BaseModel):
    """The wanted form of an output."""

    classification: Size | None = Field(
        default=None, description="As the k most probable labels, each `value:index:label`.", examples=[3]
    )
    binary_data: bool | None = Field(default=None, description="As raw bytes after the JSON.")


class InferenceOutputWish(BaseModel):
    """One requested output."""

    name: Literal["probabilities"]
    parameters: OutputParameters | None = None


class InferenceParameters(BaseModel):
    """Parameters of a request; others are ignored."""

    timeout: Size | None = Field(default=None, description="Time limit, in microseconds.")
    binary_data_output: bool | None = Field(default=None, description="Outputs as raw bytes after the JSON.")


class InferenceRequest(BaseModel):
    """A request of the protocol."""

    id: str | None = Field(default=None, description="Repeated in the answer.", examples=["42"])
    parameters: InferenceParameters | None = None
    inputs: list[ImageInput | EncodedInput] = Field(min_length=1, max_length=1)
    outputs: list[InferenceOutputWish] | None = Field(default=None, max_length=1)


class InferenceOutput(BaseModel):
    """One output."""

    name: str = Field(examples=["probabilities"])
    datatype: Literal["FP32", "BYTES"]
    shape: list[int] = Field(examples=[[1, 10]])
    data: list[Any] | None = Field(
        default=None, description="Probabilities row by row, in label order; or labels as `value:index:label`."
    )
    parameters: TensorParameters | None = None


class InferenceAnswer(BaseModel):
    """An answer of the protocol."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str = Field(examples=["cifar10"])
    model_version: str = Field(examples=["1"])
    id: str | None = Field(default=None, examples=["42"])
    outputs: list[InferenceOutput]
