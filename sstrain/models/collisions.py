"""How full a hashed table is, and how much of it is shared."""

from typing import TYPE_CHECKING

import numpy as np

from sstrain import kernels
from sstrain.models.base import Description

if TYPE_CHECKING:
    from sstrain.data.dataset import Dataset
    from sstrain.models.hashed_table import HashedModel

__all__ = ["collisions", "described"]

_MAX_PAIRS = 1 << 18


def collisions(
    model: "HashedModel", dataset: "Dataset", max_pairs: int = _MAX_PAIRS
) -> dict[str, int | float]:
    """Return how the pairs of a feature and a target in some data lie in a model's table.

    Parameters
    ----------
    model : HashedModel
    dataset : Dataset
        The training split.
    max_pairs : int
        A power of two: how many distinct pairs are held at once, in 32 bytes each. Where there
        are more the figures are those of a part of the table, which holds at least half as many.

    Returns
    -------
    dict
        ``cells`` and ``sampled_cells``: of the table, and of the part that was looked at;
        ``pairs``: distinct ones in the data, exact if all cells were looked at; ``load``: the share
        of cells that a pair falls on; ``shared``: the share of pairs whose cell another pair
        falls on too.
    """
    rows = np.arange(dataset.num_examples) if dataset.rows is None else dataset.rows
    pairs, cells = np.empty(2 * max_pairs, np.int64), np.empty(2 * max_pairs, np.int64)
    sampled = kernels.sample_pairs(
        model.table(), dataset.indptr, dataset.indices, rows, dataset.targets, pairs, cells
    )
    _, counts = np.unique(cells[pairs >= 0], return_counts=True)
    found = int(counts.sum())
    return {
        "cells": len(model.weight),
        "sampled_cells": sampled,
        "pairs": round(found * (len(model.weight) / sampled)),
        "load": len(counts) / sampled,
        "shared": 1 - int(np.sum(counts == 1)) / max(found, 1),
    }


def described(found: dict[str, int | float]) -> Description:
    """Return what `collisions` found, with a line for a person."""
    return Description(
        "collisions",
        found,
        f"hashed: {found['pairs']:,} pairs of a feature and a target in {found['cells']:,} cells; "
        f"{found['load']:.1%} of the cells are used, {found['shared']:.1%} of the pairs share one "
        "with another pair",
    )
