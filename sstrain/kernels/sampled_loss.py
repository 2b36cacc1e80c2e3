"""The frame of a sampled loss: what is the same in a batch whatever an example's loss is.

The type of a loss's NamedTuple, which holds its settings, selects what is done for each example.
"""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import dispatched, finite, inline, parallel_kernel, precise, signed
from sstrain.kernels.candidates import Candidates
from sstrain.kernels.exponential import exp32

__all__ = ["example_loss", "log1p32", "sampled_gradient", "softplus32"]

_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
# 1/3, 1/5, ...: the series of the inverse hyperbolic tangent.
_C3, _C5, _C7, _C9, _C11, _C13 = (np.float32(1 / n) for n in (3, 5, 7, 9, 11, 13))


@precise
def log1p32(x: np.float32) -> np.float32:
    """Return log(1 + x) of x from 0 to 1 as vector code: relative error below 3e-7.

    It is 2 artanh(x / (2 + x)), whose argument is at most 1/3.
    """
    t = x / (_TWO + x)
    s = t * t
    series = ((((_C13 * s + _C11) * s + _C9) * s + _C7) * s + _C5) * s + _C3
    return np.float32(_TWO * (t + t * s * series))


@inline
def softplus32(x: np.float32) -> tuple[np.float32, np.float32]:
    """Return log(1 + exp(x)) and its derivative, the logistic function of x."""
    small = exp32(-abs(x))
    positive = x > _ZERO
    value = (x if positive else _ZERO) + log1p32(small)
    slope = (_ONE if positive else small) / (_ONE + small)
    return np.float32(value), np.float32(slope)


@dispatched
def example_loss(
    loss: Any,
    target_score: np.float32,
    target_log_count: np.float32,
    scores: NDArray[np.float32],
    log_counts: NDArray[np.float32],
    multiplicity: NDArray[np.float32],
    hit: int,
    d_scores: NDArray[np.float32],
) -> tuple[float, float]:
    """Return an example's loss and its target's derivative; write its candidates' derivatives.

    ``scores``, ``log_counts`` (of expected counts), ``multiplicity`` and ``d_scores`` are float32
    arrays with an entry for each candidate; ``hit`` is the target's place among them, or -1.
    """
    implementation = example_loss.table[type(loss)]
    found: tuple[float, float] = implementation(
        loss, target_score, target_log_count, scores, log_counts, multiplicity, hit, d_scores
    )
    return found


@parallel_kernel
def sampled_gradient(
    loss: Any,
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
    candidates: Candidates,
    hits: NDArray[np.int32],
    weights: NDArray[np.float32],
    losses: NDArray[np.float64],
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
) -> int:
    """Compute the losses and the gradients of their weighted mean.

    Parameters
    ----------
    loss : NamedTuple
        Of a type that `example_loss` knows.
    target_scores : float32 array of shape [B]
    scores : float32 array of shape [B, K]
        Of the candidates; entries from a group's count on are not read.
    candidates : Candidates
        With 1 or B groups.
    hits : int32 array of shape [B]
        Position of the target among the candidates, or -1.
    weights : float32 array of shape [B]
        Example weights.
    losses : float64 array of shape [B]
        Unweighted; written.
    d_targets, d_scores : float32 arrays of shape [B] and [B, K]
        Gradients of ``(1/B) sum_i weight_i loss_i``; written. The share of a hit that is kept
        stands in ``d_scores`` at its position, apart from ``d_targets``.

    Returns
    -------
    int
        The number of examples whose loss is not finite.
    """
    size = len(target_scores)
    groups = len(candidates.counts)
    bad = 0
    for index in prange(size):
        i = signed(index)
        group = 0 if groups == 1 else i
        count = candidates.counts[group]
        gradient = d_scores[i, :count]
        value, d_target = example_loss(
            loss,
            target_scores[i],
            candidates.target_log_expected_count[i],
            scores[i, :count],
            candidates.log_expected_count[group, :count],
            candidates.multiplicity[group, :count],
            hits[i],
            gradient,
        )
        factor = weights[i] / np.float32(size)
        for k in range(count):
            gradient[k] *= factor
        losses[i] = value
        d_targets[i] = np.float32(d_target) * factor
        if not (finite(value) and finite(target_scores[i])):
            bad += 1
    return bad
