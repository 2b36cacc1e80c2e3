"""What a tool's file holds.

A tool is a module of this package with

- `TITLE`: its name, for people; `DISTRIBUTION`: what its version is asked of;
- `NOTE`: what a reader of its rows has to know, or an empty string;
- `SETTINGS`: a tuple of `Setting`;
- `prepare(examples, options, context)`: the tool's own form of the examples, which is not part of
  the training seconds;
- `train(prepared, options, context)`: the training, which is; returns `Trained`.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from peers.evaluation import Figures
from peers.examples import Examples


@dataclass(frozen=True)
class Setting:
    """One way to call a tool.

    Attributes
    ----------
    name : str
    reason : str
        Why it is tried, and what advises it.
    options : mapping
        What the tool's functions read; JSON.
    sets : tuple of str
        The sets that it is for.
    quick : bool
        Whether `make bench-quick` runs it.
    limits : mapping
        CPU seconds by set, where it is known that it does not end in time and tells its progress:
        a part is enough to extrapolate from.
    """

    name: str
    reason: str
    options: Mapping[str, Any]
    sets: tuple[str, ...] = ("kjv", "novels", "placenames")
    quick: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What a cell's process gives to the tool's functions.

    Attributes
    ----------
    folder : Path
        Empty, for files of the tool's own, removed afterwards.
    seed : int
    files : tuple of Path
        The svmlight files of the training and the test rows.
    """

    folder: Path
    seed: int
    files: tuple[Path, Path]


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Attributes
    ----------
    figures : callable
        Computes log-loss and top-k.
    share : float
        What part of the setting's work was done; the rest is extrapolated.
    measured : mapping
        `cpu_seconds`, `wall_seconds`, `peak_mib` and the like where the tool knows better than its
        process, because training ran in another one, say; None: not known.
    note : str
    """

    figures: Callable[[], Figures]
    share: float = 1.0
    measured: Mapping[str, float | None] = field(default_factory=dict)
    note: str = ""


class Tool(Protocol):
    """The type of a tool's module."""

    TITLE: str
    DISTRIBUTION: str
    NOTE: str
    SETTINGS: tuple[Setting, ...]

    @staticmethod
    def prepare(examples: Examples, options: Mapping[str, Any], context: Context) -> Any:
        """Return the examples as the tool takes them."""

    @staticmethod
    def train(prepared: Any, options: Mapping[str, Any], context: Context) -> Trained:
        """Train."""


def no_figures() -> Figures:
    """Return the figures of a part of the work."""
    return {"log_loss": None, "top_1": None, "top_5": None}


def report_progress(share: float) -> None:
    """Tell what share of the training is done, for the case that the process is stopped."""
    print(f"Progress: {100 * share:.3f}%", file=sys.stderr, flush=True)
