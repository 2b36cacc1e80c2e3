"""YAML with the scalars of version 1.2's core schema, read with places and written to match.

PyYAML scans and emits; its own schema, that of YAML 1.1, reads ``on`` as true, ``1e-3`` as text
and ``010`` as eight.
"""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import yaml

from sstrain.config.problems import Problem
from sstrain.config.tree import Key, Node, Place

__all__ = ["dump", "parse"]

#: A config is no data: beyond these, a file was named by mistake or wants to do harm.
_MOST_VALUES = 10_000
_DEEPEST = 100

_TAG = "tag:yaml.org,2002:"


def _integer(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)


def _float(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


#: For each kind of plain scalar: its form, the characters it may start with, and its value.
_SCALARS: dict[str, tuple[re.Pattern[str], str, Callable[[str], Any]]] = {
    _TAG + "null": (re.compile(r"(~|null|Null|NULL)?\Z"), "~nN", lambda _: None),
    _TAG + "bool": (
        re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"),
        "tTfF",
        lambda text: text.lower() == "true",
    ),
    _TAG + "int": (
        re.compile(r"([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
        "-+0123456789",
        _integer,
    ),
    _TAG + "float": (
        re.compile(
            r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
            r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"
        ),
        "-+.0123456789",
        lambda text: _float(text.lower()),
    ),
    _TAG + "str": (re.compile(r"(?s:.*)\Z"), "", str),
}

_RESOLVERS: dict[str, list[tuple[str, re.Pattern[str]]]] = {"": []}
for _tag, (_form, _first, _) in _SCALARS.items():
    for _character in _first:
        _RESOLVERS.setdefault(_character, []).append((_tag, _form))
_RESOLVERS[""].append((_TAG + "null", _SCALARS[_TAG + "null"][0]))


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = _RESOLVERS


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers = _RESOLVERS

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    # PyYAML loses the rarer line breaks of Unicode unless they are written as escapes.
    style = None if value.isprintable() else '"'
    return dumper.represent_scalar(_TAG + "str", value, style=style)


def _represent_float(dumper: _Dumper, value: float) -> yaml.ScalarNode:
    special = {math.inf: ".inf", -math.inf: "-.inf"}.get(value, ".nan")
    text = repr(value) if math.isfinite(value) else special
    return dumper.represent_scalar(_TAG + "float", text)


def _represent_list(dumper: _Dumper, values: Any) -> yaml.SequenceNode:
    nested = any(isinstance(value, list | tuple | dict) for value in values)
    return dumper.represent_sequence(_TAG + "seq", values, flow_style=not nested)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_float)
_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(tuple, _represent_list)


def dump(data: Any) -> str:
    """Return plain data as YAML, keys in their order; ``parse`` reads the same data again."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
    return text


class _Unreadable(Exception):
    """The text as a whole is of no use."""


def parse(text: str, origin: Place, problems: list[Problem], key: Key = ()) -> Node | None:
    """Return the values of one YAML document with their places.

    Parameters
    ----------
    text : str
    origin : Place
        Where the text begins; every value's place is counted from it.
    problems : list of Problem
        Every mistake is added to it: what is not YAML, a key given twice, an unknown tag.
    key : tuple
        The key that the whole text is the value of.

    Returns
    -------
    Node or None
        None if the text is not YAML, or is out of all proportion for a config.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Node(None, origin)
        return _Reader(origin, problems).node(root, _place(origin, root), key)
    except _Unreadable as error:
        problems.append(error.args[0])
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.append(Problem(replace(origin, line=line), key, _plain_words(error)))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = f"the character {chr(error.character)!r} is not allowed"
        words = f"not valid YAML: {character}; expected plain text in UTF-8"
        problems.append(Problem(replace(origin, line=line), key, words))
    except RecursionError:
        problems.append(Problem(origin, key, f"nested more than {_DEEPEST} levels deep"))
    return None


def _place(origin: Place, node: yaml.Node) -> Place:
    mark = node.start_mark
    return replace(origin, line=mark.line + 1, column=mark.column + 1)


def _plain_words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    if "another document" in problem:
        return "a second YAML document begins here; expected one"
    if r"character '\t'" in problem:
        return "not valid YAML: a tab cannot indent or begin a value; use spaces"
    column = f" (column {error.problem_mark.column + 1})" if error.problem_mark else ""
    context = f"{error.context}, " if error.context else ""
    return f"not valid YAML: {context}{problem}{column}"


class _Reader:
    """Turns PyYAML's nodes into ours; aliases are followed, and so may not grow without end."""

    def __init__(self, origin: Place, problems: list[Problem]) -> None:
        self._origin = origin
        self._problems = problems
        self._count = 0

    def node(self, node: yaml.Node, place: Place, key: Key) -> Node:
        """Return one value, at the place of its key if it has one."""
        self._count += 1
        if self._count > _MOST_VALUES:
            self._refuse(place, key, f"more than {_MOST_VALUES:,} values, aliases followed")
        if len(key) > _DEEPEST:
            self._refuse(place, key, f"nested more than {_DEEPEST} levels deep, aliases followed")
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return Node(self._mapping(node, key), place)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            elements = enumerate(node.value)
            values = [self.node(v, _place(self._origin, v), (*key, i)) for i, v in elements]
            return Node(values, place)
        return Node(self._scalar(node, key), place)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Node]:
        values: dict[str, Node] = {}
        for name_node, value_node in node.value:
            place = _place(self._origin, name_node)
            if not isinstance(name_node, yaml.ScalarNode):
                text = "a list or mapping stands as a key; expected a name"
                self._problems.append(Problem(place, key, text))
            elif (name := name_node.value) in values:
                text = f"given twice; line {values[name].place.line} has it already; keep one"
                self._problems.append(Problem(place, (*key, name), text))
            else:
                values[name] = self.node(value_node, place, (*key, name))
        return values

    def _scalar(self, node: yaml.Node, key: Key) -> Any:
        form, _, convert = _SCALARS.get(node.tag, (None, "", str))
        try:
            if form is not None and isinstance(node, yaml.ScalarNode) and form.match(node.value):
                return convert(node.value)
            text = f"the tag {node.tag.replace(_TAG, '!!')} does not go here; leave it out"
        except ValueError:
            text = "a number of too many digits"
        self._problems.append(Problem(_place(self._origin, node), key, text))
        return None

    def _refuse(self, place: Place, key: Key, text: str) -> None:
        # The key may be a hundred levels long, so only its beginning is told.
        raise _Unreadable(Problem(place, key[:3], text))
