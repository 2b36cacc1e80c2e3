"""What the types of the config's sections allow, read from their fields."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from sstrain.section import IsPath, Section

__all__ = [
    "any_of",
    "choices",
    "describe",
    "element",
    "holds_paths",
    "sections",
    "tags",
]


def _alternatives(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Yield each type that a value may have, without None, and what else is asked of it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        yield from _alternatives(inner, (*metadata, *more))
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _alternatives(member, metadata)
    elif annotation is not types.NoneType:
        yield annotation, tuple(_flat(metadata))


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item


def element(annotation: Any) -> Any:
    """Return the type of a list's elements, or None if the type is no list."""
    for kind, _ in _alternatives(annotation):
        if get_origin(kind) is tuple:
            return get_args(kind)[0]
    return None


def sections(annotation: Any) -> list[type[Section]]:
    """Return the sections that a value of this type may be."""
    kinds = [kind for kind, _ in _alternatives(annotation)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)]


def tags(section: type[Section]) -> tuple[str, ...]:
    """Return the ``type`` (or ``format``) that selects a section; none if nothing selects it."""
    field = section.model_fields.get(section.discriminator)
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()


def holds_paths(field: FieldInfo) -> bool:
    """Tell whether the texts of a field are paths."""
    kinds = list(_alternatives(field.annotation, tuple(field.metadata)))
    kinds += _alternatives(element(field.annotation))
    return any(isinstance(item, IsPath) for _, metadata in kinds for item in metadata)


def choices(annotation: Any) -> list[Any]:
    """Return the values that the type lists one by one."""
    kinds = [kind for kind, _ in _alternatives(annotation)]
    return [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]


def describe(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """Return in plain words what a value may be, ``auto or a whole number from 1``."""
    words = [str(choice) for choice in choices(annotation)]
    kinds = _alternatives(annotation, metadata)
    words += [text for kind, rules in kinds if (text := _kind(kind, rules))]
    found = sections(annotation)
    return ", or ".join(filter(None, [any_of(words), _section(found[0]) if found else ""]))


def _section(section: type[Section]) -> str:
    required = [name for name, field in section.model_fields.items() if field.is_required()]
    if tags(section):
        required.append(section.discriminator)
    return "a section with " + (" and ".join(required) or any_of(list(section.model_fields)))


def _kind(kind: Any, rules: tuple[Any, ...]) -> str:
    is_path = any(isinstance(rule, IsPath) for rule in rules)
    if get_origin(kind) is tuple:
        each = describe(get_args(kind)[0])
        return "a path or a list of paths" if each == "a path" else f"a list, each {each}"
    name = {str: "a path" if is_path else "text", bool: "true or false"}.get(kind, "")
    number = {int: "a whole number", float: "a number"}.get(kind)
    return f"{number}{_bounds(rules)}" if number else name


def _bounds(rules: tuple[Any, ...]) -> str:
    low = [f" from {rule.ge}" for rule in rules if isinstance(rule, Ge)]
    low += [f" above {rule.gt}" for rule in rules if isinstance(rule, Gt)]
    high = [f" {'up ' if not low else ''}to {rule.le}" for rule in rules if isinstance(rule, Le)]
    high += [f" below {rule.lt}" for rule in rules if isinstance(rule, Lt)]
    return "".join(low + high)


def any_of(words: list[str]) -> str:
    """Return ``a, b or c``."""
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
