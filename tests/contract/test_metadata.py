"""The contract: what is written is read back, and what contradicts itself is refused."""

import ast
import dataclasses
import json
import sys
from pathlib import Path

import pytest

import contract
from contract import GOLDEN_TOLERANCE, ContractError, DataSource, Evaluation, GoldenImage, ModelMetadata, Reference

EVALUATION = Evaluation(images=10, accuracy=0.9, log_loss=0.3, brier_score=0.1, expected_calibration_error=0.01)
METADATA = ModelMetadata(
    name="shapes",
    version="3",
    labels=("circle", "square"),
    height=2,
    width=3,
    color_mode="RGB",
    fit="cover",
    polarity="any",
    temperature=1.25,
    data=DataSource("Shapes", "CC0", "Nobody, 2026"),
    training={"recipe": "best", "epochs": 3},
    evaluation=EVALUATION,
    uncalibrated=EVALUATION,
    reference=Reference((0.5, 0.5), (0.0,) * 9 + (1.0,)),
    golden=(GoldenImage(bytes(range(18)), "square", (0.25, 0.75)),),
    commit="unknown",
    created="2026-01-01T00:00:00Z",
)


def test_what_is_written_is_read_back() -> None:
    props = METADATA.to_props()
    assert all(key.startswith("convoy.") and json.loads(value) is not None for key, value in props.items())
    assert ModelMetadata.from_props(props | {"someone else's": "not JSON"}) == METADATA
    assert METADATA.input_shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../etc"),
        ("version", "0"),
        ("labels", ("circle",)),
        ("labels", ("circle", "circle")),
        ("height", 0),
        ("color_mode", "CMYK"),
        ("fit", "squeeze"),
        ("polarity", "light-on-dark"),  # for grey only
        ("temperature", 0.0),
        ("reference", Reference((1.0,), (0.1,) * 10)),
        ("golden", ()),
        ("golden_tolerance", 0.5),
        ("golden", (GoldenImage(b"short", "square", (0.25, 0.75)),)),
        ("golden", (GoldenImage(bytes(18), "triangle", (0.25, 0.75)),)),
    ],
)
def test_a_contradiction_is_not_written(field: str, value: object) -> None:
    with pytest.raises(ContractError, match=field):
        dataclasses.replace(METADATA, **{field: value}).to_props()  # type: ignore[arg-type]


@pytest.mark.parametrize("field", [*ModelMetadata.__slots__, "schema_version"])
@pytest.mark.parametrize("value", [None, "{", "null", "[]", '"x"', "-1"])
def test_a_missing_or_malformed_field_is_refused_or_kept_as_it_is(field: str, value: str | None) -> None:
    props = METADATA.to_props()
    if value is None:
        del props[f"convoy.{field}"]
    else:
        props[f"convoy.{field}"] = value
    free_form = {"training", "commit", "created"}
    if value is None and field == "golden_tolerance":
        assert ModelMetadata.from_props(props).golden_tolerance == GOLDEN_TOLERANCE
    elif value == '"x"' and field == "name":
        assert ModelMetadata.from_props(props).name == "x"
    elif value is not None and value != "{" and field in free_form:
        assert getattr(ModelMetadata.from_props(props), field) == json.loads(value)
    else:
        with pytest.raises(ContractError):
            ModelMetadata.from_props(props)


def test_the_contract_needs_only_the_standard_library() -> None:
    tree = ast.parse(Path(contract.__file__).read_text())
    imported = {
        alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)
