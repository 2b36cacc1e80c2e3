"""The JSON Schema, by a checker of the few keywords that it uses."""

import re
from pathlib import Path
from typing import Any

import pytest

from sstrain.config import load, resolved_yaml
from sstrain.config.comparison import Comparison
from sstrain.config.comparison_loading import (
    comparison_yaml,
    holds_comparison,
    load_comparison,
)
from sstrain.config.problems import Problem
from sstrain.config.schema import config_schema
from sstrain.config.tree import Place
from sstrain.config.yaml import parse

SCHEMA = config_schema()
SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
COMPARISON = config_schema(Comparison)
DEFINITIONS = {**COMPARISON["$defs"], **SCHEMA["$defs"]}
KEYWORDS = {
    "type", "const", "enum", "allOf", "anyOf", "$ref", "properties", "additionalProperties",
    "required", "items", "prefixItems", "minItems", "maxItems", "minLength", "pattern",
    "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "title", "description", "default", "$schema", "$defs",
}  # fmt: skip


def accepts(schema: dict[str, Any], value: Any) -> bool:
    assert set(schema) <= KEYWORDS, set(schema) - KEYWORDS
    if "$ref" in schema:
        return accepts(DEFINITIONS[schema["$ref"].removeprefix("#/$defs/")], value)
    if "allOf" in schema:  # older versions of pydantic put a lone reference into it
        return all(accepts(member, value) for member in schema["allOf"])
    if "anyOf" in schema:
        return any(accepts(member, value) for member in schema["anyOf"])
    if "type" in schema:
        kind = TYPES[schema["type"]]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, dict):
        return accepts_mapping(schema, value)
    if isinstance(value, list):
        each = schema.get("prefixItems") or [schema.get("items", {})] * len(value)
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return False
        return all(accepts(items, v) for items, v in zip(each, value, strict=True))
    if isinstance(value, str):
        long_enough = len(value) >= schema.get("minLength", 0)
        return long_enough and re.search(schema.get("pattern", ""), value) is not None
    return value is None or accepts_number(schema, value)


def accepts_mapping(schema: dict[str, Any], value: dict[str, Any]) -> bool:
    properties = schema["properties"]
    assert schema["additionalProperties"] is False
    return (
        set(schema.get("required", [])) <= set(value)
        and set(value) <= set(properties)
        and all(accepts(properties[name], inner) for name, inner in value.items())
    )


def accepts_number(schema: dict[str, Any], value: float) -> bool:
    inside: bool = schema.get("minimum", value) <= value <= schema.get("maximum", value)
    above: bool = schema.get("exclusiveMinimum", value - 1) < value
    below: bool = value < schema.get("exclusiveMaximum", value + 1)
    return inside and above and below


def plain(text: str) -> Any:
    problems: list[Problem] = []
    root = parse(text, Place(0, 1, 1, "c.yaml", "/"), problems)
    assert root is not None
    assert not problems
    return root.plain()


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_shipped_configs_are_accepted_as_written_and_resolved(file: Path) -> None:
    compared = holds_comparison(file)
    schema = COMPARISON if compared else SCHEMA
    resolved = comparison_yaml(load_comparison(file)) if compared else resolved_yaml(load(file))
    assert accepts(schema, plain(file.read_text()))
    assert accepts(schema, plain(resolved))


def test_there_are_shipped_configs() -> None:
    assert SHIPPED


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("validation: 0.1", True),
        ("validation: {path: v}", True),
        ("validation: {path: [v, w], context: 3}", True),
        ("validation: 1.5", False),
        ("validation: {path: v, min_count: 3}", False),
        ("validation: {path: []}", False),
        ("train: {path: a}", True),
        ("train: {path: a, format: auto}", True),
        ("train: {format: svmlight}", False),
        ("train: {path: a, format: svmlight, context: 3}", False),
    ],
)
def test_data(text: str, accepted: bool) -> None:
    data = {"train": {"path": "a", "format": "sequence"}, **plain(text)}
    assert accepts(SCHEMA, {"data": data}) is accepted


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("sampler: null", True),
        ("sampler: {num_samples: 3}", True),
        ("sampler: {type: mixture, parts: [{weight: 1, type: uniform}]}", True),
        ("sampler: {type: mixture, parts: [{weight: 1}]}", False),
        ("sampler: {type: uniform, power: 1}", False),
        ("optimizer: {type: adagrad, warmup: 3 epochs}", True),
        ("optimizer: {type: adagrad, warmup: 3 minutes}", False),
        ("optimizer: {type: sgd, initial_accumulator: 1}", False),
        ("evaluation: {every: 100, top_k: [1]}", True),
        ("evaluation: {every: 0}", False),
        ("evaluation: {top_k: []}", False),
        ("training: {threads: auto}", True),
        ("training: {threads: 0}", False),
        ("seed: -1", False),
        ("sed: 1", False),
    ],
)
def test_other_sections(text: str, accepted: bool) -> None:
    config = {"data": {"train": {"path": "a", "format": "sequence"}}, **plain(text)}
    assert accepts(SCHEMA, config) is accepted


def test_keys_are_described_by_their_comments() -> None:
    training = SCHEMA["$defs"]["Training"]
    assert training["description"] == "The loop."
    assert training["properties"]["epochs"]["description"] == "Passes over the training split."
    # Of sections that are put together from two, too.
    sampler = SCHEMA["$defs"]["TrainSequence"]["properties"]
    assert "training lines" in sampler["min_count"]["description"]
    assert sampler["context"]["description"]


def test_defaults_are_as_a_file_writes_them() -> None:
    assert SCHEMA["$defs"]["Evaluation"]["properties"]["every"]["default"] == "1 epoch"
