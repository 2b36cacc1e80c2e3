"""The JSON Schema of a config, for editors and other programs."""

import inspect
import re
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sstrain.config.completion import AUTO, default_types
from sstrain.config.sections import Config
from sstrain.config.shapes import sections, tags
from sstrain.data import HeldOutSource, Source, TrainSource
from sstrain.objectives import SampledObjectiveSection
from sstrain.samplers import ComparedSampler
from sstrain.section import Section, Span

__all__ = ["config_schema"]

_COMMENTED = re.compile(r"((?:^ +#: ?.*\n)+) +(\w+) *:", re.MULTILINE)


class _Generator(GenerateJsonSchema):
    """Describes a file as it is written, with the comments of the keys."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        json_schema = super().model_schema(schema)
        section = schema["cls"]
        for name, comment in _comments(section).items():
            if name in json_schema.get("properties", {}):
                json_schema["properties"][name].setdefault("description", comment)
        if issubclass(section, Source):
            # What the file looks like, where it says nothing or ``auto``.
            json_schema["properties"]["format"] = {"enum": [AUTO, *tags(section)]}
        if tags(section) and section not in _untagged():
            json_schema["required"] = [section.discriminator, *json_schema.get("required", [])]
        return json_schema

    def encode_default(self, dft: Any) -> Any:
        return str(dft) if isinstance(dft, Span) else super().encode_default(dft)

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        # Where ``type`` may be left out several sections may match.
        json_schema = super().tagged_union_schema(schema)
        return {"anyOf": json_schema["oneOf"]} if "oneOf" in json_schema else json_schema


def _untagged() -> set[type[Section]]:
    """Return the sections whose ``type`` or ``format`` may be left out."""
    fields = Config.model_fields
    kinds = [kind for name in default_types() for kind in sections(fields[name].annotation)]
    compared = [
        *sections(cast(Any, ComparedSampler)),
        *sections(cast(Any, SampledObjectiveSection)),
    ]
    sources = [*sections(cast(Any, TrainSource)), *sections(HeldOutSource)]
    return {*kinds, *sources, *compared}


def _comments(section: type[Any]) -> dict[str, str]:
    """Return the ``#:`` comments above a section's keys, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(section.__mro__):
        if issubclass(base, Section):
            try:
                source = inspect.getsource(base)
            except (OSError, TypeError):
                # Sections that are merged from two have no source of their own.
                continue
            for comment, name in _COMMENTED.findall(source):
                found[name] = " ".join(re.sub(r"^ +#: ?", "", comment, flags=re.MULTILINE).split())
    return found


def config_schema(kind: type[Section] = Config) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a train config, or of another kind."""
    schema = kind.model_json_schema(schema_generator=_Generator)
    if "base" in schema["properties"]:
        # The file may name a train config in its place.
        schema["properties"]["base"] = {"anyOf": [{"type": "string"}, schema["properties"]["base"]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
