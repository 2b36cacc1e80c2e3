"""What drawing asks of a proposal distribution, answered by the type of its NamedTuple.

A proposal holds what q depends on: arrays fitted before training, and what it takes of the batch at
hand. ``i`` is the place of an example in the batch; where q depends on no example, it is not read.
``tile`` tells apart the scratch arrays of threads, one for each of `sstrain.kernels.tiles.TILES`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import dispatched

__all__ = ["begin_example", "draw_class", "write_log_q"]


@dispatched
def begin_example(proposal: Any, i: int, tile: int) -> None:
    """Prepare for the draws of example i, which follow before any other's of the same tile."""
    begin_example.table[type(proposal)](proposal, i, tile)


@dispatched
def draw_class(proposal: Any, i: int, tile: int, key: np.uint64, index: int) -> int:
    """Return the class at one index of the stream of draws."""
    return int(draw_class.table[type(proposal)](proposal, i, tile, key, index))


@dispatched
def write_log_q(
    proposal: Any, i: int, tile: int, classes: NDArray[np.int32], out: NDArray[np.float64]
) -> None:
    """Write log q of each of some classes, in rising order: float64 of the same length."""
    write_log_q.table[type(proposal)](proposal, i, tile, classes, out)
