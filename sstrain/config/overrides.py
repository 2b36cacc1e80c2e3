"""Values given on the command line, put in the place of those of the file."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from sstrain.config.problems import Problem, got
from sstrain.config.tree import Key, Node, Place, dotted
from sstrain.config.yaml import parse

__all__ = ["override"]


def override(
    root: Node,
    settings: Sequence[str],
    output: str | None,
    problems: list[Problem],
    expand: Callable[[Node, Key], None] = lambda root, key: None,
) -> None:
    """Put values into a config, in the order given; ``output`` comes last.

    Parameters
    ----------
    root : Node
        The whole config, changed in place.
    settings : sequence of str
        ``key.path=value``, the value in YAML; null takes the key away. A number in the path counts
        a list's elements from 0. Sections that are missing on the way are made.
    output : str or None
        The value of ``output`` as text.
    problems : list of Problem
        Mistakes are added to it.
    expand : callable
        Called before the value of a key is put in, with the config and the key, to put what a
        path stands for in its place.
    """
    for option, setting in enumerate(settings, start=1):
        place = Place(option, 1, 1, "--set", os.getcwd())
        path, equals, text = setting.partition("=")
        key: Key = tuple(path.strip().split("."))
        if not equals or not all(key):
            found = got(setting)
            problems.append(
                Problem(place, (), f"no key and value; {found}; expected key.path=value")
            )
        elif (node := parse(text, place, problems, key)) is None:
            hint = f"{problems[-1].text}; {got(text)}; put the value in quotes of its own"
            problems[-1] = replace(problems[-1], text=hint)
        else:
            expand(root, key)
            if problem := _put(root, key, node):
                problems.append(Problem(place, key, problem))
    if output is not None:
        place = Place(len(settings) + 1, 1, 1, "--output", os.getcwd())
        _put(root, ("output",), Node(output, place))


def _put(parent: Node, key: Key, node: Node, above: Key = ()) -> str:
    """Put a node below another; return what is wrong with the key, or ''."""
    name, rest = key[0], key[1:]
    here = dotted((*above, name))
    if isinstance(parent.value, list):
        if not str(name).isdecimal() or int(name) >= len(parent.value):
            return f"{dotted(above)} has {len(parent.value)} elements, counted from 0; got {name}"
        name = int(name)
    child = parent.get((name,))
    if child is None or child.value is None:
        # Null takes away what is not there: it stays, so that an unknown key is still found.
        make = rest and node.value is not None
        parent.value[name] = child = Node({}, node.place) if make else node
        return _put(child, rest, node, (*above, name)) if make else ""
    if rest and not isinstance(child.value, dict | list):
        whole = f"set it whole, as {here}={{{rest[0]}: ...}}"
        return f"{here} is no section; {got(child.value)}; {whole}"
    if rest:
        return _put(child, rest, node, (*above, name))
    if node.value is None:
        del parent.value[name]
    else:
        parent.value[name] = node
    return ""
