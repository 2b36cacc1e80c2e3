"""Sampled softmax: the loss of one example."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import finite
from sstrain.kernels.exponential import exp32, to_exponentials
from sstrain.kernels.lanes import highest
from sstrain.kernels.sampled_loss import example_loss

__all__ = ["SampledSoftmaxLoss"]


class SampledSoftmaxLoss(NamedTuple):
    """Softmax over the target and the draws, each score less the log of its expected count."""

    keep_hits: bool


def _example_loss(
    loss: SampledSoftmaxLoss,
    target_score: np.float32,
    target_log_count: np.float32,
    scores: NDArray[np.float32],
    log_counts: NDArray[np.float32],
    multiplicity: NDArray[np.float32],
    hit: int,
    d_scores: NDArray[np.float32],
) -> tuple[float, float]:
    """Return loss and target's derivative.

    ``d_scores`` holds first the corrected scores relative to the target's, which keep their
    digits however large the scores are, then their exponentials, then the derivatives.
    """
    if not finite(float(target_log_count)):
        return np.inf, 0.0  # of a q of 0: it would give the target all the mass, and teach nothing
    for k in range(len(scores)):
        d_scores[k] = (scores[k] - target_score) + (target_log_count - log_counts[k])
    if hit >= 0 and not loss.keep_hits:
        d_scores[hit] = np.float32(-np.inf)
    top = max(np.float32(0), highest(d_scores))
    to_exponentials(d_scores, top)
    total = 0.0  # of terms that count as often as they were drawn
    for k in range(len(scores)):
        d_scores[k] *= multiplicity[k]
        total += d_scores[k]
    partition = total + float(exp32(-top))
    scale = np.float32(1.0 / partition)
    for k in range(len(scores)):
        d_scores[k] *= scale
    return float(top) + np.log(partition), -total / partition


example_loss.register(SampledSoftmaxLoss, _example_loss)
