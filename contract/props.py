"""Reads and writes metadata in an ONNX file: ``metadata_props``, one JSON value per field, as ``convoy.<field>``.

::

    props -> schema version -> each field, strictly typed -> checks between fields -> values

In version 1 of the schema, every file had accuracy, calibration and reference, and the only preprocessing options were
size and polarity. In version 2, measurements may be missing, and further preprocessing options, class ids and the
output ``features`` were added. Both versions are read; version 2 is written.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, get_args

from contract import fields
from contract.errors import ContractError, NoMetadataError
from contract.golden import GoldenImage, read_golden, write_golden
from contract.held_out import read_conformal, read_familiarity
from contract.measured import read_evaluation, read_reference
from contract.names import NAME_RULE, VERSION_RULE, is_model_name, is_version, name_classes
from contract.pixel_rules import ColorMode, CropRounding, Fit, Interpolation, JpegDecode, Polarity

SCHEMA_VERSION = 2
KNOWN_SCHEMA_VERSIONS = (1, 2)
MOST_LABELS = 1 << 15
MOST_SIDE_PIXELS = 4096
MOST_GOLDEN_TOLERANCE = 0.1
LEAST_CROP_FRACTION = 0.1  # usual ones are 0.875 to 1; the resized picture has 1 / 0.1^2 times the pixels of the input

MOST_LABEL_CHARACTERS = 256
MOST_LONG_CHARACTERS = 4096
"""Of a licence, a citation and other texts that may have several lines."""

_KEY_PREFIX = "convoy."
_short, _long = fields.text(most=256), fields.text(most=MOST_LONG_CHARACTERS, may_break=True)

_REQUIRED: dict[str, fields.Reader[Any]] = {
    "name": fields.text(most=64, fits=is_model_name, rule=NAME_RULE),
    "version": fields.text(most=9, fits=is_version, rule=VERSION_RULE),
    "labels": fields.sequence(fields.text(most=MOST_LABEL_CHARACTERS), least=2, most=MOST_LABELS),
    "height": fields.whole(1, MOST_SIDE_PIXELS),
    "width": fields.whole(1, MOST_SIDE_PIXELS),
    "color_mode": fields.choice(get_args(ColorMode)),
    "fit": fields.choice(get_args(Fit)),
    "polarity": fields.choice(get_args(Polarity)),
    "temperature": fields.number(0, 1e6, is_open=True),
    "data": fields.members({"name": _short, "licence": _long, "citation": _long}),
    "training": fields.free_form,
    "commit": _short,
    "created": _short,
}
_MEASURED: dict[str, fields.Reader[Any]] = {"evaluation": read_evaluation, "uncalibrated": read_evaluation}
_OPTIONAL: dict[str, fields.Reader[Any]] = {
    "class_ids": fields.optional(fields.sequence(_short, least=2, most=MOST_LABELS)),
    "multi_label": fields.flag,
    "one_unit": fields.flag,
    "interpolation": fields.choice(get_args(Interpolation)),
    "antialias": fields.flag,
    "crop_fraction": fields.number(LEAST_CROP_FRACTION, 1),
    "crop_rounding": fields.choice(get_args(CropRounding)),
    "jpeg_decode": fields.choice(get_args(JpegDecode)),
    "exif": fields.flag,
    "icc": fields.flag,
    "preprocessing_proof": fields.optional(_short),
    "features": fields.optional(fields.sequence(fields.whole(1, 1 << 20), least=3, most=3)),
}
_GOLDEN_TOLERANCE = fields.number(0, MOST_GOLDEN_TOLERANCE, is_open=True)


def write_props(metadata: Any) -> dict[str, str]:
    """The props of a :class:`contract.ModelMetadata`, unchecked; fields that are None are left out."""
    values = {item.name: _plain(getattr(metadata, item.name)) for item in dataclasses.fields(metadata) if item.init}
    written = {name: value for name, value in values.items() if value is not None} | {"schema_version": SCHEMA_VERSION}
    return {_KEY_PREFIX + name: _json(value, name) for name, value in written.items()}


def read_props(props: Mapping[str, str]) -> dict[str, Any]:
    """Reads and checks every field.

    Args:
        props: all of a file's properties.

    Returns:
        The arguments of :class:`contract.ModelMetadata`; ``data`` still as a dictionary.

    Raises:
        NoMetadataError: there is no metadata.
        ContractError: a field is missing, malformed, or contradicts another.
    """
    if not any(name.startswith(_KEY_PREFIX) for name in props):
        raise NoMetadataError
    schema = _value(props, "schema_version")
    if schema not in KNOWN_SCHEMA_VERSIONS or isinstance(schema, bool):
        fields.refuse(schema, "schema_version", " or ".join(map(str, KNOWN_SCHEMA_VERSIONS)))
    values = {name: reader(_value(props, name), name) for name, reader in _REQUIRED.items()}
    classes = len(values["labels"])

    def reference(value: Any, field: str) -> Any:
        return read_reference(value, field, classes)

    measured = _MEASURED | {"reference": reference}
    if schema == 1:
        values |= {name: reader(_value(props, name), name) for name, reader in measured.items()}
    else:
        held_out: dict[str, fields.Reader[Any]] = {
            "conformal": lambda value, field: read_conformal(value, field, classes),
            "familiarity": read_familiarity,
        }
        may_be = {name: fields.optional(reader) for name, reader in (measured | held_out).items()}
        values |= _present(props, may_be | _OPTIONAL)
    values |= _present(props, {"golden_tolerance": _GOLDEN_TOLERANCE})
    _check(values)
    _check_resizing(values)
    _check_choice(values)
    pixel_bytes = values["height"] * values["width"] * (3 if values["color_mode"] == "RGB" else 1)
    golden = read_golden(
        _value(props, "golden"),
        "golden",
        pixel_bytes=pixel_bytes,
        labels=values["labels"],
        multi_label=values.get("multi_label", False),
    )
    return values | {"golden": golden}


def _check(values: Mapping[str, Any]) -> None:
    """Checks fields against each other."""
    labels, class_ids = values["labels"], values.get("class_ids")
    if values["polarity"] == "light-on-dark" and values["color_mode"] != "L":
        raise ContractError("metadata field polarity: light-on-dark is for grey pictures (color_mode L) only")
    if class_ids is None:
        if len(set(labels)) != len(labels):
            raise ContractError("metadata field labels: two are equal; class_ids would tell them apart")
    elif len(class_ids) != len(labels) or len(set(class_ids)) != len(class_ids):
        raise ContractError(f"metadata field class_ids: {len(labels)} different ids are needed, one for each label")
    elif len(set(name_classes(labels, class_ids))) != len(labels):
        raise ContractError("metadata field labels: two classes would be called the same, ids included")


def _check_resizing(values: Mapping[str, Any]) -> None:
    if values["fit"] == "contain" and values.get("crop_fraction", 1.0) != 1.0:
        raise ContractError("metadata field crop_fraction: the fit `contain` crops nothing")
    if not values.get("antialias", True) and values.get("interpolation", "bilinear") in ("lanczos", "box", "hamming"):
        raise ContractError("metadata field antialias: lanczos, box and hamming have no form without antialiasing")
    if values.get("crop_rounding") == "source-pixels":
        takes = ("cover",) if values.get("antialias", True) else ("cover", "contain")
        if values["fit"] not in takes or values.get("crop_fraction", 1.0) != 1.0:
            raise ContractError(
                "metadata field crop_rounding: source-pixels is for `cover`, and for `contain` without antialiasing, "
                "both without crop_fraction"
            )
    if values.get("crop_rounding") == "target-pixels" and values["fit"] != "contain":
        raise ContractError("metadata field crop_rounding: target-pixels is for `contain`")
    if values["fit"] == "shortest-edge":
        sides = values["height"], values["width"]
        if round(min(sides) / values.get("crop_fraction", 1.0)) < max(sides):
            raise ContractError("metadata field crop_fraction: the crop does not fit into the resized picture")


def _check_choice(values: Mapping[str, Any]) -> None:
    """Checks the fields that only models of which one label is right may have."""
    if values.get("one_unit") and (len(values["labels"]) != 2 or values.get("multi_label")):
        raise ContractError("metadata field one_unit: it is for models of two labels of which one is right")
    for name in ("conformal", "familiarity"):
        if values.get("multi_label") and values.get(name) is not None:
            raise ContractError(f"metadata field {name}: it is for models of which one label is right")


def _present(props: Mapping[str, str], readers: Mapping[str, fields.Reader[Any]]) -> dict[str, Any]:
    there = {name: reader for name, reader in readers.items() if _KEY_PREFIX + name in props}
    return {name: reader(_value(props, name), name) for name, reader in there.items()}


def _value(props: Mapping[str, str], name: str) -> Any:
    if _KEY_PREFIX + name not in props:
        raise ContractError(f"metadata field {_KEY_PREFIX}{name} is missing")
    return fields.parse(props[_KEY_PREFIX + name], name)


def _json(value: Any, name: str) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ContractError(f"metadata field {name} cannot be written as JSON: {error}") from error


def _plain(value: Any) -> Any:
    """The JSON form of a field."""
    if isinstance(value, GoldenImage):
        return write_golden(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
