"""Draws from a model's own distribution, given the scores of all classes.

An example's exponentials are summed once, in blocks of classes; a draw searches the sums of the
blocks, and then the classes of one.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline
from sstrain.kernels.counter import uniform
from sstrain.kernels.cumulative import first_above
from sstrain.kernels.proposal import begin_example, draw_class, write_log_q

__all__ = ["SOFTMAX_BLOCK", "SoftmaxProposal"]

#: Classes in a block, whose exponentials a draw goes through one by one.
SOFTMAX_BLOCK = 64


class SoftmaxProposal(NamedTuple):
    """The scores of a batch, and scratch arrays for the example at hand, one for each tile."""

    scores: NDArray[np.float32]  # [B, V]
    cumulative: NDArray[np.float64]  # [TILES, blocks], sums of exponentials up to a block's end
    highest: NDArray[np.float64]  # [TILES], the largest score
    log_partition: NDArray[np.float64]  # [TILES]


@inline
def _block_sum(scores: NDArray[np.float32], highest: float) -> float:
    total = 0.0
    for j in range(len(scores)):
        total += np.exp(np.float64(scores[j]) - highest)
    return total


def _begin_example(proposal: SoftmaxProposal, i: int, tile: int) -> None:
    scores, cumulative = proposal.scores[i], proposal.cumulative[tile]
    highest = np.float64(scores[0])
    for j in range(1, len(scores)):
        highest = max(highest, np.float64(scores[j]))
    total = 0.0
    for block in range(len(cumulative)):
        start = block * SOFTMAX_BLOCK
        total += _block_sum(scores[start : start + SOFTMAX_BLOCK], highest)
        cumulative[block] = total
    proposal.highest[tile] = highest
    proposal.log_partition[tile] = highest + np.log(total)


def _draw_class(proposal: SoftmaxProposal, i: int, tile: int, key: np.uint64, index: int) -> int:
    cumulative, scores = proposal.cumulative[tile], proposal.scores[i]
    point = uniform(key, index) * cumulative[-1]
    block = first_above(cumulative, point)
    rest = point if block == 0 else point - cumulative[block - 1]
    start = block * SOFTMAX_BLOCK
    stop = min(start + SOFTMAX_BLOCK, len(scores))
    drawn = start
    for j in range(start, stop):
        weight = np.exp(np.float64(scores[j]) - proposal.highest[tile])
        if weight > 0:
            drawn = j  # where rounding leaves a rest behind all of them, it is the last
        rest -= weight
        if rest < 0:
            break
    return drawn


def _write_log_q(
    proposal: SoftmaxProposal,
    i: int,
    tile: int,
    classes: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    for k in range(len(classes)):
        out[k] = proposal.scores[i, classes[k]] - proposal.log_partition[tile]


begin_example.register(SoftmaxProposal, _begin_example)
draw_class.register(SoftmaxProposal, _draw_class)
write_log_q.register(SoftmaxProposal, _write_log_q)
