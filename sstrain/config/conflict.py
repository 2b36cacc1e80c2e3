"""A key that does not go with the rest of a config, and what finds such keys."""

from collections.abc import Callable
from typing import NamedTuple

from sstrain.config.sections import Config
from sstrain.config.tree import Key

__all__ = ["Check", "Conflict"]


class Conflict(NamedTuple):
    """A key that does not go with the rest of the config."""

    key: Key
    problem: str
    advice: str


Check = Callable[[Config], Conflict | None]
