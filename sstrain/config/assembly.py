"""From a config as it was written to its typed sections, with every mistake on the way.

Sections are validated from the innermost outwards, each by itself: a mistake in one hides none in
another, and a value that may be a number or a section gets one message and not two.
"""

import os
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from sstrain.config.hints import about_key, closest
from sstrain.config.problems import REPORTED, Problem, got
from sstrain.config.sections import Config
from sstrain.config.shapes import any_of, choices, describe, element, holds_paths, sections, tags
from sstrain.config.tree import Key, Node
from sstrain.data.files import STANDARD_INPUT
from sstrain.section import Section

__all__ = ["Assembler"]

_Section = TypeVar("_Section", bound=Section)


class Assembler:
    """Builds sections from nodes.

    Parameters
    ----------
    problems : list of Problem
        Every mistake is added to it.
    root : type of Section
        The whole config, for hints.
    """

    def __init__(self, problems: list[Problem], root: type[Section] = Config) -> None:
        self._problems = problems
        self._root = root

    def values(
        self, kind: type[Section], node: Node, key: Key = (), siblings: Sequence[type[Section]] = ()
    ) -> dict[str, Any]:
        """Return the values for a section's keys, with the sections among them built.

        A key whose value is null counts as not given.
        """
        for name in node.value.keys() - kind.model_fields.keys():
            child = node.value[name]
            text = (
                f"unknown key; {got(child.plain())}; {about_key(name, kind, siblings, self._root)}"
            )
            self._problems.append(Problem(child.place, (*key, name), text))
        values: dict[str, Any] = {}
        for name, field in kind.model_fields.items():
            child = node.value.get(name)
            if child and child.value is not None:
                read = _paths if holds_paths(field) else self._value
                values[name] = read(field.annotation, child, (*key, name))
        return values

    def build(
        self, kind: type[_Section], values: dict[str, Any], node: Node, key: Key = ()
    ) -> _Section | None:
        """Return the section with these values, or None if one of them is not allowed."""
        try:
            return kind.model_validate(values)
        except ValidationError as error:
            found: dict[Key, list[ErrorDetails]] = {}
            for details in error.errors(include_url=False):
                found.setdefault(_where(details["loc"]), []).append(details)
        # A list with wrong elements is not to be called too short besides.
        told = {where[:1] for where in found if len(where) > 1}
        for where, errors in found.items():
            if where not in told and not any(e["input"] is REPORTED for e in errors):
                text = _problem(kind, where, errors, node)
                self._problems.append(Problem(node.nearest(where).place, (*key, *where), text))
        return None

    def _value(self, annotation: Any, node: Node, key: Key) -> Any:
        kinds, inner = sections(annotation), element(annotation)
        if kinds and isinstance(node.value, dict):
            return self._one_of(kinds, node, key)
        if sections(inner) and isinstance(node.value, list):
            return [self._value(inner, child, (*key, i)) for i, child in node.children]
        return node.plain()

    def _one_of(self, kinds: list[type[Section]], node: Node, key: Key) -> Any:
        kind = kinds[0]
        if known := [tag for kind in kinds for tag in tags(kind)]:
            name = kind.discriminator
            tag = node.get((name,)) or Node(None, node.place)
            if tag.value is REPORTED:
                return REPORTED
            if tag.value not in known:
                wrong = (
                    ("missing", "") if tag.value is None else (f"unknown {name}", got(tag.plain()))
                )
                text = _join(*wrong, f"expected {any_of(known)}", closest(tag.value, known))
                self._problems.append(Problem(tag.place, (*key, name), text))
                return REPORTED
            kind = next(kind for kind in kinds if tag.value in tags(kind))
        before = len(self._problems)
        section = self.build(kind, self.values(kind, node, key, kinds), node, key)
        return REPORTED if section is None or len(self._problems) > before else section


def _where(location: Key) -> Key:
    """Return the key, or the key and position in its list, that pydantic speaks of.

    What follows names the members of a union, which the user knows nothing of.
    """
    return location[:2] if isinstance((*location, "", "")[1], int) else location[:1]


def _paths(annotation: Any, node: Node, key: Key) -> Any:
    """Return paths made absolute, from the folder of the file that each stands in."""
    if isinstance(node.value, list):
        return [_paths(annotation, child, key) for _, child in node.children]
    if (
        isinstance(node.value, str)
        and node.value
        and node.value not in (STANDARD_INPUT, *choices(annotation))
    ):
        return os.path.normpath(os.path.join(node.place.folder, node.value))
    return node.plain()


#: Words for pydantic's kinds of error; of several, for the members of a union, the first counts.
_MISTAKES = {
    "greater_than": "out of range",
    "greater_than_equal": "out of range",
    "less_than": "out of range",
    "less_than_equal": "out of range",
    "finite_number": "out of range",
    "too_short": "empty",
    "string_too_short": "empty",
    "literal_error": "unknown value",
}


def _problem(kind: type[Section], where: Key, errors: list[ErrorDetails], node: Node) -> str:
    """Return what is wrong with one value, what was found and what is allowed."""
    found = node.nearest(where).plain()
    own_words = [str(e["ctx"]["error"]) for e in errors if e["type"] == "value_error"]
    if not where or (own_words and not own_words[0].startswith("expected")):
        return _join((own_words or [errors[0]["msg"]])[0], got(found))
    field = kind.model_fields[str(where[0])]
    expected = own_words[0] if own_words else "expected " + _describe(field, where)
    if errors[0]["type"] == "missing":
        return _join("missing", expected)
    kinds = {e["type"] for e in errors}
    mistakes = [text for kind, text in _MISTAKES.items() if kind in kinds]
    mistake = (*mistakes, "invalid value" if own_words else "wrong type")[0]
    return _join(mistake, got(found), expected, _hint(field, found))


def _describe(field: FieldInfo, where: Key) -> str:
    if len(where) > 1:
        return describe(element(field.annotation))
    return describe(field.annotation, tuple(field.metadata))


def _hint(field: FieldInfo, found: Any) -> str:
    """Return what a text may stand for: a section of that type, or one of the choices."""
    if not isinstance(found, str):
        return ""
    for kind in sections(field.annotation):
        if found in tags(kind):
            return f"did you mean {{{kind.discriminator}: {found}}}?"
    return closest(found, [choice for choice in choices(field.annotation) if choice != found])


def _join(*parts: str) -> str:
    return "; ".join(filter(None, parts))
