"""The contract: written metadata is read back unchanged, and contradictions are refused."""

import ast
import base64
import dataclasses
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

import contract
from contract import ContractError, DataSource, Evaluation, GoldenImage, ModelMetadata, Reference
from tests.process import FIXTURES

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


FIELDS = [item.name for item in dataclasses.fields(ModelMetadata) if item.init]


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
        ("interpolation", "cubic"),
        ("crop_fraction", 0.0),
        ("crop_fraction", 0.09),
        ("jpeg_decode", "draft"),
        ("icc", 1),
        ("commit", 7),
        ("evaluation", "good"),
        ("evaluation", dataclasses.replace(EVALUATION, accuracy=float("nan"))),
        ("class_ids", ("a",)),
        ("class_ids", ("a", "a")),
        ("features", (0, 4, 4)),
        ("polarity", "light-on-dark"),  # allowed for grey pictures only
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


@pytest.mark.parametrize("rules", [{"fit": "stretch"}, {"fit": "contain"}, {"fit": "cover", "crop_fraction": 0.5}])
def test_source_pixels_has_no_meaning_for_other_rules(rules: dict[str, Any]) -> None:
    metadata = dataclasses.replace(METADATA, crop_rounding="source-pixels", fit="contain", antialias=False)
    metadata.to_props()
    with pytest.raises(ContractError, match="crop_rounding"):
        dataclasses.replace(metadata, antialias=True, **rules).to_props()


def test_target_pixels_has_a_meaning_for_contain_only() -> None:
    metadata = dataclasses.replace(METADATA, crop_rounding="target-pixels", fit="contain")
    assert ModelMetadata.from_props(metadata.to_props()).crop_rounding == "target-pixels"
    for fit in ("cover", "stretch", "shortest-edge"):
        with pytest.raises(ContractError, match="crop_rounding: target-pixels"):
            dataclasses.replace(metadata, fit=fit).to_props()  # type: ignore[arg-type]


def test_one_unit_is_for_two_labels_of_which_one_is_right() -> None:
    for metadata in (
        dataclasses.replace(METADATA, one_unit=True, multi_label=True),
        dataclasses.replace(METADATA, one_unit=True, labels=("circle", "square", "star"), reference=None),
    ):
        with pytest.raises(ContractError, match="one_unit"):
            metadata.to_props()


SCHEMA_1 = (FIXTURES / "schema_1_cifar10.json", FIXTURES / "schema_1_mnist.json")  # of cifar10/2 and mnist/1


@pytest.mark.parametrize("path", SCHEMA_1, ids=["cifar10", "mnist"])
def test_files_of_the_first_schema_are_read_with_todays_rules(path: Path) -> None:
    props = json.loads(path.read_text())
    assert props["convoy.schema_version"] == "1"
    metadata = ModelMetadata.from_props(props)
    assert metadata.evaluation is not None
    assert metadata.reference is not None
    assert (metadata.interpolation, metadata.antialias, metadata.crop_fraction) == ("bilinear", True, 1.0)
    assert (metadata.jpeg_decode, metadata.exif, metadata.class_ids, metadata.features) == ("reduced", True, None, None)
    assert metadata.class_names == metadata.labels
    for field in ("evaluation", "uncalibrated", "reference"):
        with pytest.raises(ContractError, match=field):
            ModelMetadata.from_props({key: value for key, value in props.items() if key != f"convoy.{field}"})


def test_what_was_not_measured_is_absent() -> None:
    bare = dataclasses.replace(METADATA, evaluation=None, uncalibrated=None, reference=None)
    props = bare.to_props()
    assert not {"convoy.evaluation", "convoy.uncalibrated", "convoy.reference", "convoy.class_ids"} & props.keys()
    assert ModelMetadata.from_props(props) == bare
    assert ModelMetadata.from_props(props | {"convoy.evaluation": "null"}) == bare


def test_equal_labels_are_told_apart_by_their_ids() -> None:
    cranes = dataclasses.replace(METADATA, labels=("crane", "crane"), class_ids=("n02012849", "n03126707"))
    cranes = dataclasses.replace(cranes, golden=(GoldenImage(bytes(18), "crane", (0.25, 0.75)),))
    assert ModelMetadata.from_props(cranes.to_props()).class_names == ("crane (n02012849)", "crane (n03126707)")
    assert dataclasses.replace(METADATA, class_ids=("a", "b")).class_names == METADATA.labels


VALUES = [
    "null",
    "[]",
    "{}",
    '"x"',
    '"\\ud800"',
    '"\\u0000"',
    '"' + 5000 * "x" + '"',
    "-1",
    "1e999",
    "0.5",
    "true",
    "[1]",
    "[null]",
]
FITTING = {
    **{key: {'"x"'} for key in ("name", "commit", "created", "preprocessing_proof")},
    "training": {"{}"},
    **{key: {"0.5"} for key in ("temperature", "crop_fraction")},
    **{key: {"true"} for key in ("multi_label", "one_unit", "antialias", "exif", "icc")},
}
NULLABLE = {"evaluation", "uncalibrated", "reference", "class_ids", "preprocessing_proof", "features"}
NULLABLE |= {"conformal", "familiarity"}


@pytest.mark.parametrize("field", [*FIELDS, "schema_version"])
def test_every_field_has_the_type_that_it_should_have_or_the_file_is_refused(field: str) -> None:
    props = METADATA.to_props()
    for value in (*VALUES, "{", "NaN", "[" * 100_000, "1" * 5000):
        changed = props | {f"convoy.{field}": value}
        if value in FITTING.get(field, ()) or (value == "null" and field in NULLABLE):
            read = getattr(ModelMetadata.from_props(changed), field)
            assert read == json.loads(value), value
        else:
            with pytest.raises(ContractError, match=f"{field}|class_ids"):
                ModelMetadata.from_props(changed)


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_may_be_missing_only_where_it_has_a_default(field: str) -> None:
    props = METADATA.to_props()
    props.pop(f"convoy.{field}", None)
    defaults = {item.name: item.default for item in dataclasses.fields(ModelMetadata)}
    if defaults[field] is dataclasses.MISSING:
        with pytest.raises(ContractError, match=f"{field} is missing"):
            ModelMetadata.from_props(props)
    else:
        assert getattr(ModelMetadata.from_props(props), field) == defaults[field]


@pytest.mark.parametrize(
    ("field", "member"),
    [
        (field, member)
        for field in ("data", "evaluation", "reference")
        for member in json.loads(METADATA.to_props()[f"convoy.{field}"])
    ]
    + [("golden", member) for member in ("pixels", "label", "probabilities")],
)
def test_so_has_every_member(field: str, member: str) -> None:
    props = METADATA.to_props()
    good = json.loads(props[f"convoy.{field}"])
    for value in (
        None,
        [],
        {},
        -1,
        True,
        "",
        "\ud800",
        "x" * 5000,
        [True, 1],
        [0.1, 0.2],
        [None] * 10,
        [1.0, -0.0, 1.0],
    ):
        whole = [good[0] | {member: value}] if field == "golden" else good | {member: value}
        if member == "label" and value is None:
            continue  # a golden image whose true label is not known
        with pytest.raises(ContractError, match=f"{field}.*{member}"):
            ModelMetadata.from_props(props | {f"convoy.{field}": json.dumps(whole)})
    fewer = {name: value for name, value in (good[0] if field == "golden" else good).items() if name != member}
    with pytest.raises(ContractError, match="an object with the members"):
        ModelMetadata.from_props(props | {f"convoy.{field}": json.dumps([fewer] if field == "golden" else fewer)})


def test_sizes_are_bounded_before_they_are_inflated() -> None:
    props = METADATA.to_props()
    bomb = base64.b64encode(zlib.compress(bytes(10_000_000), 9)).decode()
    golden = [{"pixels": bomb, "label": None, "probabilities": [0.5, 0.5]}]
    with pytest.raises(ContractError, match="golden"):
        ModelMetadata.from_props(props | {"convoy.golden": json.dumps(golden)})
    with pytest.raises(ContractError, match="labels: a list of 2 to 32768 items is needed, not a list of 32769 items"):
        ModelMetadata.from_props(props | {"convoy.labels": json.dumps([str(n) for n in range(32769)])})
    many = [json.loads(props["convoy.golden"])[0]] * 101
    with pytest.raises(ContractError, match="a list of 1 to 100 items is needed"):
        ModelMetadata.from_props(props | {"convoy.golden": json.dumps(many)})


def test_a_message_does_not_repeat_a_strangers_text_at_length() -> None:
    props = METADATA.to_props() | {"convoy.fit": json.dumps("y" * 10_000)}
    with pytest.raises(ContractError) as refusal:
        ModelMetadata.from_props(props)
    assert len(str(refusal.value)) < 200


def test_the_contract_needs_only_the_standard_library() -> None:
    for path in Path(contract.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        imported = {
            alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert imported <= set(sys.stdlib_module_names) | {"contract"}
