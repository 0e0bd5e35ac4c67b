"""Describes each parameter of a prediction, in one table for the query, the form and the JSON of the OpenAPI document.

::

    PARAMETERS ─┬─> Parameter Objects of the query
                ├─> fields of the form
                └─> members of the JSON
"""

from collections.abc import Iterable
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from service.api.forms import FILE_FIELD
from service.api.operation import BINARY, TEXT
from service.api.parameters import MOST_CHARACTERS, MOST_TOP_K, ON_ERROR, PREPARE, PROBABILITIES

_NAME: Final[dict[str, Any]] = {**TEXT, "maxLength": MOST_CHARACTERS}
_SHARE: Final[dict[str, Any]] = {"type": "number", "minimum": 0, "maximum": 1}
_NULL: Final[dict[str, Any]] = {"type": "null"}
_VERSION_NUMBER: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}


class Described(NamedTuple):
    """One parameter. It has no example, because the page ``/docs`` would put the example into its form and send it.

    Attributes:
        schema: JSON Schema of its value.
        text: description, in Markdown.
    """

    schema: dict[str, Any]
    text: str


PARAMETERS: Final[dict[str, Described]] = {
    "top_k": Described(
        {"type": "integer", "minimum": 1, "maximum": MOST_TOP_K}, "Adds the `top_k` most probable labels, such as 3."
    ),
    "probabilities": Described(
        {**TEXT, "enum": list(PROBABILITIES)},
        "Which probabilities are listed: `all`; `top`, the most probable 5 or `top_k`; `none`. The default is `all` "
        "for models with up to 100 labels, otherwise `top`.",
    ),
    "on_error": Described(
        {**TEXT, "enum": list(ON_ERROR)},
        "`report`: a bad picture gets an error instead of a prediction, and the others are classified. By default, "
        "the request is refused for one bad picture.",
    ),
    "prepare": Described(
        {**TEXT, "enum": list(PREPARE)},
        "`digit`: the strokes of a drawn or photographed digit are scaled and centred as in MNIST; for models of "
        "light strokes on a dark ground. `none`, the default: this is not done.",
    ),
    "min_confidence": Described(
        _SHARE,
        "A picture whose most probable label has a lower probability, such as 0.5, gets `label` null and a `reason`. "
        "For single-label models.",
    ),
    "coverage": Described(
        _SHARE,
        "Adds `label_set`, a set of labels that contains the right one with this probability, such as 0.95: one of the "
        "levels in `coverages` of `GET /models`.",
    ),
    "familiarity": Described(
        {"type": "boolean"},
        "`true`: adds the share of held-out pictures that look less familiar to the model, and a warning below 0.05.",
    ),
    "receipt": Described(
        {"type": "boolean"},
        "`true`: each prediction has a `receipt`, with which `convoy verify` can repeat it.",
    ),
    "model": Described(_NAME, "Name of the model, such as `cifar10`; the default model where left out."),
    "version": Described(_NAME, "Version of the model, such as `2`; its default version where left out."),
}
"""Every field of :class:`service.api.parameters.Parameters`, in the order of the document."""


def query_parameter(name: str) -> dict[str, Any]:
    """OpenAPI's Parameter Object of a parameter in the query."""
    described = PARAMETERS[name]
    return {"name": name, "in": "query", "description": described.text, "schema": described.schema}


def form(file: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """JSON Schema of a form.

    Args:
        file: schema of the pictures.
        names: the parameters that may be fields.
    """
    fields = {name: {**PARAMETERS[name].schema, "description": PARAMETERS[name].text} for name in names}
    return {
        "type": "object",
        "required": [FILE_FIELD],
        "properties": {FILE_FIELD: file, **fields},
        "additionalProperties": False,
    }


def encoded_images(
    title: str, doc: str, names: Iterable[str], example: dict[str, Any], *, most_images: int | None, text: str
) -> type[BaseModel]:
    """The model of a JSON body.

    Args:
        title: its name in the document.
        doc: its description.
        names: the parameters that may be members.
        example: a whole body.
        most_images: most images in a body; None: as many as the service allows.
        text: description of the images.
    """
    image = Annotated[str, Field(min_length=1, json_schema_extra={"format": "byte"})]
    fields: dict[str, Any] = {
        "images": (list[image], Field(min_length=1, max_length=most_images, description=text)),
        **{name: _json_member(name, PARAMETERS[name]) for name in names},
    }
    config = ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})
    model: type[BaseModel] = create_model(title, __config__=config, __doc__=doc, **fields)
    return model


def one_file(text: str) -> dict[str, Any]:
    """Schema of a form's single picture."""
    return {**BINARY, "description": text}


def _json_member(name: str, described: Described) -> tuple[Any, Any]:
    kinds = [described.schema, _VERSION_NUMBER, _NULL] if name == "version" else [described.schema, _NULL]
    return Annotated[Any, WithJsonSchema({"anyOf": kinds})], Field(None, description=described.text)
