"""Mistakes in a config, each one plain line that says where it stands."""

import json
from dataclasses import dataclass
from typing import Any

from sstrain.config.tree import Key, Place

__all__ = ["REPORTED", "Problem", "got", "shown"]

#: Stands in for a value whose mistakes have been reported.
REPORTED: Any = object()

_LONGEST = 60


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands, at which key, and what to do about it."""

    place: Place
    key: Key
    text: str

    def __str__(self) -> str:
        return f"{self.place.describe(self.key)}: {self.text}"


def shown(value: Any) -> str:
    """Return a value on one line, cut where it is long."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def got(value: Any) -> str:
    """Return the part of a message that tells what was found."""
    return f"got {shown(value)}"
