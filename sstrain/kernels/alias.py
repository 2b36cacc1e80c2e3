"""Alias tables: draws from a fixed distribution in constant time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.counter import uniform
from sstrain.kernels.proposal import begin_example, draw_class, write_log_q

__all__ = ["AliasTable", "alias_draw", "build_alias"]


class AliasTable(NamedTuple):
    """A distribution q over V classes, ready to be drawn from."""

    threshold: NDArray[np.float64]  # [V], probability to keep the column
    alias: NDArray[np.int32]  # [V], the class otherwise
    log_q: NDArray[np.float64]  # [V]


@kernel
def build_alias(
    probabilities: NDArray[np.float64],
    threshold: NDArray[np.float64],
    alias: NDArray[np.int32],
) -> None:
    """Fill an alias table by Vose's method (1991), in O(V).

    Parameters
    ----------
    probabilities : float64 array of shape [V]
        Sum to 1.
    threshold, alias : arrays of shape [V]
        Filled in place.
    """
    size = len(probabilities)
    scaled = probabilities * size
    small = np.empty(size, np.int64)
    large = np.empty(size, np.int64)
    num_small = num_large = 0
    for j in range(size):
        threshold[j] = 1.0
        alias[j] = j
        if scaled[j] < 1.0:
            small[num_small] = j
            num_small += 1
        else:
            large[num_large] = j
            num_large += 1
    while num_small > 0 and num_large > 0:
        num_small -= 1
        lesser, greater = small[num_small], large[num_large - 1]
        threshold[lesser] = scaled[lesser]
        alias[lesser] = greater
        scaled[greater] = (scaled[greater] + scaled[lesser]) - 1.0
        if scaled[greater] < 1.0:
            num_large -= 1
            small[num_small] = greater
            num_small += 1


@inline
def alias_draw(table: AliasTable, key: np.uint64, index: int) -> int:
    """Return the class at one index of the stream of draws."""
    column = int(uniform(key, 2 * index) * len(table.threshold))
    if uniform(key, 2 * index + 1) < table.threshold[column]:
        return column
    return int(table.alias[column])


def _begin_example(proposal: AliasTable, i: int, tile: int) -> None:
    pass


def _draw_class(proposal: AliasTable, i: int, tile: int, key: np.uint64, index: int) -> int:
    return alias_draw(proposal, key, index)


def _write_log_q(
    proposal: AliasTable, i: int, tile: int, classes: NDArray[np.int32], out: NDArray[np.float64]
) -> None:
    for k in range(len(classes)):
        out[k] = proposal.log_q[classes[k]]


begin_example.register(AliasTable, _begin_example)
draw_class.register(AliasTable, _draw_class)
write_log_q.register(AliasTable, _write_log_q)
