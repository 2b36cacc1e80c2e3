"""Importance-sampled softmax: losses and score gradients of one batch."""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import finite, inline, parallel_kernel, signed
from sstrain.kernels.candidates import Candidates
from sstrain.kernels.exponential import exp32, to_exponentials
from sstrain.kernels.lanes import highest

__all__ = ["importance_gradient"]


@inline
def _one_example(
    target_score: np.float32,
    scores: NDArray[np.float32],
    offsets: NDArray[np.float32],
    hit: int,
    keep: bool,
    weight: np.float32,
    d_scores: NDArray[np.float32],
) -> tuple[float, float]:
    """Return an example's loss and its target's gradient; write the candidates' gradients.

    The gradients are those of the loss times ``weight``.

    ``d_scores`` holds first the terms ``a_j - z_c`` with ``a_j = z_j + log n_j - log count_j``,
    then their exponentials, then the gradients (equation 23). Taken relative to the target's
    score, terms keep their digits however large the scores are.
    """
    for k in range(len(scores)):
        d_scores[k] = (scores[k] - target_score) + offsets[k]
    if hit >= 0 and not keep:
        d_scores[hit] = np.float32(-np.inf)
    top = max(np.float32(0), highest(d_scores))
    total = to_exponentials(d_scores, top)
    partition = total + float(exp32(-top))
    scale = np.float32(float(weight) / partition)
    for k in range(len(scores)):
        d_scores[k] *= scale
    loss = float(top) + np.log(partition)
    # p~ - 1 as minus the share of the others: exact where p~ is close to 1 (equation 9).
    return loss, -float(weight) * (total / partition)


@parallel_kernel
def importance_gradient(
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
    candidates: Candidates,
    hits: NDArray[np.int32],
    keep_hits: bool,
    weights: NDArray[np.float32],
    losses: NDArray[np.float64],
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
) -> int:
    """Compute the losses and the gradients of their weighted mean (equations 7 to 16, 23, 24).

    Parameters
    ----------
    target_scores : float32 array of shape [B]
    scores : float32 array of shape [B, K]
        Of the candidates; entries from a group's count on are not read.
    candidates : Candidates
        With 1 or B groups.
    hits : int32 array of shape [B]
        Position of the target among the candidates, or -1.
    keep_hits : bool
        Whether a hit stays in the sum (``accidental_hits: keep``).
    weights : float32 array of shape [B]
        Example weights.
    losses : float64 array of shape [B]
        Unweighted; written.
    d_targets, d_scores : float32 arrays of shape [B] and [B, K]
        Gradients of ``(1/B) sum_i weight_i loss_i``; written. With ``keep`` a hit's share stands
        in ``d_scores`` at its position, apart from ``d_targets``.

    Returns
    -------
    int
        The number of examples whose loss is not finite.
    """
    size = len(target_scores)
    groups = len(candidates.counts)
    offsets = np.empty(candidates.classes.shape, np.float32)
    for group in range(groups):
        for k in range(candidates.counts[group]):
            offsets[group, k] = -candidates.log_expected_count[group, k]
            if candidates.multiplicity[group, k] > 1:
                offsets[group, k] += np.log(candidates.multiplicity[group, k])
    bad = 0
    for i in prange(size):
        group = 0 if groups == 1 else signed(i)
        count = candidates.counts[group]
        gradient = d_scores[i, :count]
        loss, d_target = _one_example(
            target_scores[i],
            scores[i, :count],
            offsets[group, :count],
            hits[i],
            keep_hits,
            weights[i] / np.float32(size),
            gradient,
        )
        losses[i] = loss
        d_targets[i] = np.float32(d_target)
        if not (finite(loss) and finite(target_scores[i])):
            bad += 1
    return bad
