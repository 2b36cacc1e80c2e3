"""A config as it was written: plain values, each with the place where it stands."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Key", "Node", "Place", "dotted"]

#: The way from the top of a config to a value: names, and positions in lists.
Key = tuple[str | int, ...]


def dotted(key: Key) -> str:
    """Return a key as it is written on the command line, ``sampler.parts.0.weight``."""
    return ".".join(name if name.isprintable() else repr(name) for name in map(str, key))


@dataclass(frozen=True, order=True)
class Place:
    """Where a value stands.

    Attributes
    ----------
    option : int
        0 for the file, else the position among the command line's options.
    line, column : int
        Counted from 1, in the file or in the option's value.
    source : str
        The file as it was named, or the option, ``--set`` or ``--output``.
    folder : str
        The folder that relative paths start from.
    """

    option: int
    line: int
    column: int
    source: str
    folder: str

    def describe(self, key: Key) -> str:
        """Return the beginning of a message about a key that stands here."""
        where = self.source if self.option else f"{self.source}:{self.line}"
        return f"{where} {dotted(key)}".rstrip()


@dataclass
class Node:
    """A scalar, or a mapping or list of nodes, with the place of its key (or of itself)."""

    value: Any
    place: Place

    @property
    def children(self) -> Iterator[tuple[str | int, "Node"]]:
        """The nodes of a mapping by name, those of a list by position; none of a scalar."""
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)

    def get(self, key: Key) -> "Node | None":
        """Return the node at a key below this one, or None if there is none."""
        if not key:
            return self
        child = dict(self.children).get(key[0])
        return child and child.get(key[1:])

    def nearest(self, key: Key) -> "Node":
        """Return the node at a key, or the innermost that is there on the way to it."""
        return self.get(key) or self.nearest(key[:-1])

    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {name: child.plain() for name, child in self.children}
        if isinstance(self.value, list):
            return [child.plain() for _, child in self.children]
        return self.value
