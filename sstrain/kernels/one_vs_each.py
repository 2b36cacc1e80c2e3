"""One-vs-each: the loss of one example."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline
from sstrain.kernels.exponential import exp32
from sstrain.kernels.sampled_loss import example_loss, log1p32

__all__ = ["OneVsEachLoss"]

_ZERO, _ONE = np.float32(0), np.float32(1)


class OneVsEachLoss(NamedTuple):
    """The sum over pairs of the target and another class; it has no settings."""


@inline
def _pair(x: np.float32, log_count: np.float32) -> tuple[np.float32, np.float32]:
    """Return ``log(1 + exp(x)) / count`` and its derivative.

    Below 0, where the first is about exp(x), the quotient is taken of logs: 1 / count alone may
    be too large for a number.
    """
    positive = x > _ZERO
    scale = exp32((_ZERO if positive else x) - log_count)
    small = exp32(-abs(x))
    rest = log1p32(small)
    ratio = rest / small if small > _ZERO else _ONE
    return np.float32(scale * (x + rest if positive else ratio)), np.float32(scale / (_ONE + small))


def _example_loss(
    loss: OneVsEachLoss,
    target_score: np.float32,
    target_log_count: np.float32,
    scores: NDArray[np.float32],
    log_counts: NDArray[np.float32],
    multiplicity: NDArray[np.float32],
    hit: int,
    d_scores: NDArray[np.float32],
) -> tuple[float, float]:
    """Return loss and target's derivative; a hit is left out."""
    for k in range(len(scores)):
        d_scores[k] = scores[k] - target_score
    if hit >= 0:
        d_scores[hit] = np.float32(-np.inf)
    total, slopes = 0.0, 0.0
    for k in range(len(scores)):
        value, slope = _pair(d_scores[k], log_counts[k])
        total += multiplicity[k] * value
        d_scores[k] = multiplicity[k] * slope
        slopes += d_scores[k]
    return total, -slopes


example_loss.register(OneVsEachLoss, _example_loss)
