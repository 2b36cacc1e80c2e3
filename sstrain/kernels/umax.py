"""U-max: losses and score gradients of one batch, and each example's log-normaliser u."""

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import finite, inline, parallel_kernel, precise, signed
from sstrain.kernels.candidates import Candidates
from sstrain.kernels.exponential import exp32, sum_of_exponentials, to_exponentials
from sstrain.kernels.lanes import highest
from sstrain.kernels.umax_implicit import implicit_slopes

__all__ = ["umax_gradient"]

_ZERO, _NOTHING = np.float32(0), np.float32(-np.inf)


@inline
def _log_one_plus_sum(terms: NDArray[np.float32]) -> float:
    """Return ``log(1 + sum_k exp(terms_k))``."""
    top = max(_ZERO, highest(terms))
    return float(top) + math.log(float(exp32(-top)) + sum_of_exponentials(terms, top))


@inline
def _write_terms(
    target_score: np.float32,
    scores: NDArray[np.float32],
    offsets: NDArray[np.float32],
    hit: int,
    terms: NDArray[np.float32],
) -> float:
    """Write ``z_k - z_c + log n_k - log m_k``; return what u is no less than if it is right.

    That is log(1 + the sum of exp(z_k - z_c) over the classes drawn): part of the sum over all.
    """
    for k in range(len(scores)):
        terms[k] = scores[k] - target_score
    if hit >= 0:
        terms[hit] = _NOTHING
    bound = _log_one_plus_sum(terms)
    for k in range(len(scores)):
        terms[k] += offsets[k]
    return bound


@precise
def _log_average(u: float, new: float, rate: float) -> float:
    """Return ``log((1 - rate) exp(u) + rate exp(new))``; reassociated, a rate of 1 would fail."""
    highest = max(u, new)
    total = (1 - rate) * math.exp(u - highest) + rate * math.exp(new - highest)
    return highest + math.log(total)


@parallel_kernel
def umax_gradient(
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
    candidates: Candidates,
    hits: NDArray[np.int32],
    weights: NDArray[np.float32],
    ids: NDArray[np.int64],
    step_sizes: NDArray[np.float64],
    u: NDArray[np.float32],
    u_rate: float,
    delta: float,
    losses: NDArray[np.float64],
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
) -> int:
    """Compute the losses and the gradients of their weighted mean; move each example's u.

    Parameters
    ----------
    target_scores : float32 array of shape [B]
    scores : float32 array of shape [B, K]
        Of the candidates; entries from a group's count on are not read.
    candidates : Candidates
        With 1 or B groups.
    hits : int32 array of shape [B]
        Position of the target among the candidates, or -1.
    weights : float32 array of shape [B]
    ids : int64 array of shape [B]
        Places in ``u``, no two the same.
    step_sizes : float64 array of shape [B] or [0]
        How far a unit of its score's gradient moves a score, by each example's own part of the
        step: the gradient is then the one at the end of that step. None are given for a gradient
        at the present weights.
    u : float32 array of shape [N]
        Minus infinity before an example's first step; changed.
    u_rate : float
        The share of the new estimate in the running one.
    delta : float
        How far u may be below its lower bound.
    losses : float64 array of shape [B]
        Unweighted, at the present scores and u; written.
    d_targets, d_scores : float32 arrays of shape [B] and [B, K]
        Written.

    Returns
    -------
    int
        The number of examples whose loss is not finite.
    """
    size, groups = len(target_scores), len(candidates.counts)
    offsets = np.empty(candidates.classes.shape, np.float32)
    for group in range(groups):
        for k in range(candidates.counts[group]):
            multiplicity = candidates.multiplicity[group, k]
            offsets[group, k] = np.log(multiplicity) - candidates.log_expected_count[group, k]
    bad = 0
    for index in prange(size):
        i = signed(index)
        group = 0 if groups == 1 else i
        count = candidates.counts[group]
        gradient = d_scores[i, :count]
        bound = _write_terms(
            target_scores[i], scores[i, :count], offsets[group, :count], hits[i], gradient
        )
        log_estimate = _log_one_plus_sum(gradient)
        present = float(u[ids[i]])
        if present == -np.inf:
            present = log_estimate
        elif present < bound - delta:
            present = bound
        if len(step_sizes) and step_sizes[i] > 0:
            total = implicit_slopes(present, step_sizes[i], gradient)
        else:
            total = to_exponentials(gradient, np.float32(present))
        factor = weights[i] / np.float32(size)
        for k in range(count):
            gradient[k] *= factor
        losses[i] = present + math.expm1(log_estimate - present)
        d_targets[i] = np.float32(-total) * factor
        if finite(losses[i]) and finite(target_scores[i]):
            u[ids[i]] = _log_average(present, log_estimate, u_rate)
        else:
            bad += 1
    return bad
