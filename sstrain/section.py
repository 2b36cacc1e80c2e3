"""The frozen base of every config model, and the value types that several sections share."""

import re
import types
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

__all__ = [
    "Duration",
    "FilePath",
    "FilePaths",
    "Interval",
    "IntervalOrMinutes",
    "IsPath",
    "NonEmpty",
    "Section",
    "Span",
    "merged",
    "one_of",
]

_Element = TypeVar("_Element")


class Section(BaseModel):
    """A part of the config: immutable, strictly typed, unknown keys forbidden."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        defer_build=True,  # a config uses ten of a hundred sections
    )

    #: The key that selects the model in a union of sections ("type", or "format" for data).
    discriminator: ClassVar[str] = "type"


@dataclass(frozen=True)
class IsPath:
    """Marks a string as a path, which the loader resolves against the file that it stands in."""


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _as_paths(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _as_tuple(value)


def _one_or_list(paths: tuple[str, ...]) -> str | list[str]:
    return paths[0] if len(paths) == 1 else list(paths)


#: A list in the file, of at least one element.
NonEmpty = Annotated[tuple[_Element, ...], Field(min_length=1), BeforeValidator(_as_tuple)]
FilePath = Annotated[str, Field(min_length=1), IsPath()]
#: One path or a list of them in the file; a tuple in any case.
FilePaths = Annotated[
    tuple[FilePath, ...],
    Field(min_length=1),
    BeforeValidator(_as_paths),
    PlainSerializer(_one_or_list),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            ]
        }
    ),
]


@dataclass(frozen=True)
class Span:
    """A number of epochs, steps or minutes, as ``"1 epoch"`` or ``"500 steps"`` in a config."""

    count: int
    unit: Literal["epochs", "steps", "minutes"]

    def __str__(self) -> str:
        return f"{self.count} {self.unit if self.count != 1 else self.unit[:-1]}"

    def in_steps(self, steps_per_epoch: int) -> int:
        """Return the span as a number of steps; a span in minutes has none."""
        if self.unit == "minutes":
            raise ValueError("a span in minutes has no fixed number of steps")
        return self.count * (steps_per_epoch if self.unit == "epochs" else 1)


def _parse_span(units: str, least: int, value: Any) -> Span:
    span = value if isinstance(value, Span) else None
    if isinstance(value, int) and not isinstance(value, bool):
        span = Span(value, "steps")
    elif isinstance(value, str) and (match := re.fullmatch(rf"([0-9]+) ({units})s?", value)):
        span = Span(int(match[1]), match[2] + "s")  # type: ignore[arg-type]
    if span is None or span.count < least:
        allowed = " or ".join(f'"N {unit}s"' for unit in units.split("|"))
        raise ValueError(f"expected {allowed}, N from {least}")
    return span


def _span(units: str, least: int) -> Any:
    pattern = rf"^[0-9]+ ({units})s?$"
    schema = [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": least}]
    return Annotated[
        Span,
        BeforeValidator(partial(_parse_span, units, least)),
        PlainSerializer(str),
        WithJsonSchema({"anyOf": schema}),
    ]


if TYPE_CHECKING:
    Duration = Span
    Interval = Span
    IntervalOrMinutes = Span
else:
    #: How long something lasts, from nothing; a bare number counts steps.
    Duration = _span("epoch|step", 0)
    #: How often something happens: at least one step.
    Interval = _span("epoch|step", 1)
    IntervalOrMinutes = _span("epoch|step|minute", 1)


def merged(name: str, first: type[Section], *others: type[Section]) -> type[Section]:
    """Return a section with the keys of several, in their order; its methods too."""
    namespace = {"__doc__": first.__doc__, "__module__": first.__module__}
    bases = (*reversed(others), first)
    return types.new_class(name, bases, exec_body=lambda body: body.update(namespace))


def one_of(sections: Iterable[type[Section]]) -> Any:
    """Return the type of a key that holds one of several sections, by its discriminator."""
    members = tuple(sections)
    if len(members) == 1:
        return members[0]
    return Annotated[Union[members], Field(discriminator=members[0].discriminator)]  # noqa: UP007
