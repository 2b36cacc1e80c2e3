"""The cells of a comparison: every setting with every seed."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstrain.comparison.records import Arm
from sstrain.config.comparison import describe_objective, describe_sampler

if TYPE_CHECKING:
    from sstrain.config import Config
    from sstrain.config.comparison import Budget, Comparison

__all__ = ["Cell", "arms", "cells", "total_steps", "work"]


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of a comparison.

    Attributes
    ----------
    number : int
        Its place in the grid, by which its files are named.
    arm : Arm
    seed : int
    config : Config
        What `sstrain train` would be given.
    """

    number: int
    arm: Arm
    seed: int
    config: "Config"

    def __str__(self) -> str:
        return f"{self.arm}, seed {self.seed}"


def arms(comparison: "Comparison", seed: int) -> "list[tuple[Arm, Config]]":
    """Return each sampled setting with its train config at one seed."""
    return [
        (
            Arm(describe_objective(objective), describe_sampler(sampler), size),
            comparison.cell(objective, sampler, size, seed),
        )
        for objective in comparison.objectives
        for sampler in comparison.samplers
        for size in comparison.num_samples
    ]


def cells(comparison: "Comparison") -> list[Cell]:
    """Return all cells: the reference's first, since they take longest, then arm by arm."""
    settings = [
        (arm, seed, config) for seed in comparison.seeds for arm, config in arms(comparison, seed)
    ]
    order = {arm: place for place, (arm, _) in enumerate(arms(comparison, comparison.seeds[0]))}
    settings.sort(key=lambda setting: order[setting[0]])
    if comparison.reference:
        exact = [(Arm("exact"), s, comparison.cell(None, None, None, s)) for s in comparison.seeds]
        settings = exact + settings
    return [Cell(number, *setting) for number, setting in enumerate(settings)]


def total_steps(budget: "Budget", num_examples: int, batch_size: int) -> int:
    """Return the steps of a cell; without an end if the budget is in seconds."""
    if budget.seconds is not None:
        return sys.maxsize
    if budget.epochs is not None:
        epochs, rest = budget.epochs, 0
    else:
        assert budget.examples is not None
        epochs, rest = divmod(budget.examples, num_examples)
    return epochs * -(-num_examples // batch_size) + -(-rest // batch_size)


def work(cell: Cell, num_classes: int) -> float:
    """Return about how long an example of a cell takes, against the others'.

    Measured on the King James Bible: a sampled step costs as much as 150 classes and its K; the
    exact one scores classes in a row, at a third of what a gathered one costs.
    """
    sampler = cell.config.sampler
    if sampler is None:
        return 150 + 0.36 * num_classes
    return 150 + sampler.num_samples * (1 if sampler.share == "batch" else 2)
