"""The frozen base of every config model, and the value types that several sections share."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

__all__ = ["Duration", "DurationOrMinutes", "FilePath", "IsPath", "Section", "Span", "merged", "one_of"]


class Section(BaseModel):
    """A part of the config: immutable, strictly typed, unknown keys forbidden."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )

    #: The key that selects the model in a union of sections ("type", or "format" for data).
    discriminator: ClassVar[str] = "type"


@dataclass(frozen=True)
class IsPath:
    """Marks a string as a path, which the loader resolves against the file that it stands in."""


FilePath = Annotated[str, IsPath()]


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


def _parse_span(units: str, value: Any) -> Span:
    if isinstance(value, Span):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Span(value, "steps")
    match = re.fullmatch(rf"(\d+) ({units})s?", value) if isinstance(value, str) else None
    if match is None:
        allowed = " or ".join(f'"N {unit}s"' for unit in units.split("|"))
        raise ValueError(f"expected {allowed}")
    return Span(int(match[1]), match[2] + "s")  # type: ignore[arg-type]


def _schema(units: str) -> WithJsonSchema:
    pattern = rf"^\d+ ({units})s?$"
    return WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": 0}]}
    )


Duration = Annotated[
    Span,
    BeforeValidator(partial(_parse_span, "epoch|step")),
    PlainSerializer(str),
    _schema("epoch|step"),
]
DurationOrMinutes = Annotated[
    Span,
    BeforeValidator(partial(_parse_span, "epoch|step|minute")),
    PlainSerializer(str),
    _schema("epoch|step|minute"),
]


def merged(name: str, first: type[Section], second: type[Section]) -> type[Section]:
    """Return a section with the keys of two, those of the first before those of the second."""
    namespace = {"__doc__": first.__doc__, "__module__": first.__module__}
    return type(first)(name, (second, first), namespace)


def one_of(sections: Iterable[type[Section]]) -> Any:
    """Return the type of a key that holds one of several sections, told apart by its discriminator."""
    members = tuple(sections)
    return Annotated[Union[members], Field(discriminator=members[0].discriminator)]  # noqa: UP007
