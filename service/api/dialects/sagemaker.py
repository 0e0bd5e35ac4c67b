"""Amazon SageMaker's contract with a container: ``/ping`` and ``/invocations``, for endpoints and for batch transform.

Each container chooses the bodies of ``/invocations``. This one accepts those of existing clients: the bodies of
``/predict``, the JSON of TF Serving's and Hugging Face's containers, and for batch transform a picture in each line.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import re
from difflib import get_close_matches
from types import MappingProxyType

from service.api.accept import choose_media_type
from service.api.answers import JSON
from service.api.dialects import hugging_face, tf_serving
from service.api.dialects.content import media_type_of
from service.api.dialects.dialect import Dialect, DialectRequest, Question
from service.api.dialects.documents import Document, tell_error
from service.api.dialects.instances import PREDICTIONS
from service.api.dialects.missing import REQUESTS
from service.api.dialects.own_bodies import OWN_JSON, is_json_lines, read_lines, read_own
from service.api.dialects.ping import ping_router
from service.api.operation import BINARY, PICTURE_BODIES, SERVER_TIMING, TEXT, TIMEOUT_HEADER, Operation, reference
from service.api.parameters import Parameters, read_values
from service.api.schemas import EncodedImages, PredictionAnswer
from service.api.v2.schemas import InferenceError
from service.classifier import Classification
from service.errors import MalformedRequestError
from service.http.asgi import Reply

_TAG = "dialect: SageMaker"
_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
_KNOWN = Parameters._fields
_USEFUL = tuple(name for name in _KNOWN if name != "on_error")  # on_error is known and refused
_TFS_METHOD = "tfs-method"
_TFS_CHOOSING = MappingProxyType({"tfs-model-name": "model", "tfs-model-version": "version"})
_FIRST_MEMBER = re.compile(rb"\"(instances|inputs|images)\"\s{0,64}:")
_FIRST_BYTES = 4096
_RIGHT_JSON = "`images` as /predict takes them, `instances` as TF Serving or `inputs` as Hugging Face"
_LIKE = 0.75  # least similarity of a misspelt name: topk is similar to top_k, trace-id to none
_CHOOSING = ("model", "version")  # other names that begin so, such as model_name, are meant to choose the model too
_SHORTENED = 4  # fewest characters by which a shortened name, such as min_conf, is recognised


def read(request: DialectRequest) -> Question:
    """Reads a request of any kind that the container takes."""
    parameters = read_attributes(request.header(_ATTRIBUTES))
    question = _read(request, parameters)

    def write(result: Classification) -> Reply:
        answer = question.write(result)
        metadata = result.model.metadata
        answer.headers.append((_ATTRIBUTES, f"model={metadata.name},version={metadata.version}".encode()))
        return answer

    return question._replace(write=write)


def _read(request: DialectRequest, parameters: Parameters) -> Question:
    if is_json_lines(request):
        return read_lines(request, parameters)
    if media_type_of(request) == "application/json":
        member = _FIRST_MEMBER.search(request.body[:_FIRST_BYTES]) or _FIRST_MEMBER.search(request.body[-_FIRST_BYTES:])
        if member is None:
            return _read_own(request, parameters)
        kind = member[1]
        if kind != b"images":
            choose_media_type(request.headers.get(b"accept", b""), (JSON,))
            _refuse_listing(parameters, kind.decode())
        if kind == b"instances":
            question = tf_serving.read_predict(request)
            return question._replace(model=parameters.model, version=parameters.version)
        if kind == b"inputs":
            return hugging_face.read_json(request, parameters.model, parameters.version)
    return read_own(request, parameters)


def _read_own(request: DialectRequest, parameters: Parameters) -> Question:
    """Reads JSON in which no member shows whose format it is, as that of ``/predict``."""
    try:
        return read_own(request, parameters)
    except MalformedRequestError as error:
        raise MalformedRequestError(f"{error}; send {_RIGHT_JSON}") from None


def read_attributes(text: str) -> Parameters:
    """Reads ``model=NAME,version=2,top_k=3`` from the custom attributes.

    SageMaker passes them on unchanged, and a client may use them for its own ids: text without the name of a parameter
    is ignored. ``tfs-model-name`` and ``tfs-model-version`` of the TF Serving container mean ``model`` and ``version``.

    Raises:
        MalformedRequestError: a parameter is misspelt, given twice or invalid, or ``tfs-method`` is not ``predict``.
    """
    pairs = [
        (name.strip(), value.strip()) for name, sign, value in (word.partition("=") for word in text.split(",")) if sign
    ]
    own = [(name, value) for name, value in pairs if name in _KNOWN]
    of_tfs = [(_TFS_CHOOSING[name], value) for name, value in pairs if name in _TFS_CHOOSING]
    others = [name for name, _ in pairs if name not in _KNOWN and name not in _TFS_CHOOSING and name != _TFS_METHOD]
    if own and others:
        raise MalformedRequestError(f"unknown custom attribute {others[0][:64]!r}; known: {', '.join(_USEFUL)}")
    for name in others[:16]:
        if near := _meant(name.lower()[:64]):
            raise MalformedRequestError(f"unknown custom attribute {name[:64]!r}; is {near} meant?")
    for name, value in pairs:
        if name == _TFS_METHOD and value != "predict":
            raise MalformedRequestError(f"the custom attribute {_TFS_METHOD} is {value[:64]!r}; it can only be predict")
    values = dict(own + of_tfs)
    if len(values) < len(own) + len(of_tfs):
        raise MalformedRequestError("a custom attribute is given twice")
    return read_values(values)


def _meant(name: str) -> str | None:
    """The parameter that an unknown name seems to mean; None for a name of the client's own."""
    plain = _plain(name).removeprefix("tfs")
    for known in _CHOOSING:
        if plain.startswith(known):
            return known
    if len(plain) >= _SHORTENED:
        for known in _KNOWN:
            if _plain(known).startswith(plain):
                return known
    near = get_close_matches(name, _KNOWN, 1, _LIKE)
    return near[0] if near else None


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "")


def _refuse_listing(parameters: Parameters, member: str) -> None:
    given = [name for name, value in parameters._asdict().items() if value is not None]
    if others := [name for name in given if name not in ("model", "version")]:
        raise MalformedRequestError(
            f"the custom attributes {', '.join(others)} do not work with `{member}`, whose answer has its own form"
        )


_JSON: Document = {
    "anyOf": [OWN_JSON, tf_serving.ROWS_BODY, hugging_face.REQUEST],
    "description": "`images` as /predict takes them, `instances` as TF Serving does, or `inputs` as Hugging Face does; "
    "the answer has the same form.",
}
_BODY: Document = {
    "required": True,
    "content": {
        **PICTURE_BODIES,
        "application/x-image": {"schema": BINARY},
        "application/json": {"schema": _JSON},
        "application/jsonlines": {"schema": {**TEXT, "description": 'A picture a line: {"b64": "<base64>"}'}},
    },
}
_ANSWER: Document = {
    "description": "The answer of /predict; for JSON lines, one prediction per line.",
    "content": {
        "application/json": {"schema": {"anyOf": [reference(PredictionAnswer), PREDICTIONS, hugging_face.ANSWER]}},
        "application/jsonlines": {"schema": TEXT},
    },
    "headers": SERVER_TIMING,
}
_ATTRIBUTES_HEADER: Document = {
    "name": "X-Amzn-SageMaker-Custom-Attributes",
    "in": "header",
    "description": "Parameters of `/predict`, as `model=cifar10,version=2,top_k=3`; all may be left out. "
    "`tfs-model-name` and `tfs-model-version` mean `model` and `version`.",
    "schema": TEXT,
}
SAGEMAKER = Dialect(
    name="sagemaker",
    tag=_TAG,
    own=REQUESTS["sagemaker"],
    tell=tell_error,
    error=InferenceError,
    operations=(
        (
            Operation(
                "/invocations",
                "sagemaker_invoke",
                "Classify pictures",
                "The bodies of `/predict`, of TF Serving's and Hugging Face's containers, and JSON lines.",
                tag=_TAG,
                parameters=(_ATTRIBUTES_HEADER, TIMEOUT_HEADER),
                bodies=(EncodedImages,),
                answers=(PredictionAnswer,),
                body=_BODY,
                answer=_ANSWER,
            ),
            read,
        ),
    ),
    router=ping_router(_TAG),
)
