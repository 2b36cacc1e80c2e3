"""BlackOut: the loss of one example."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import finite, inline
from sstrain.kernels.exponential import exp32
from sstrain.kernels.sampled_loss import example_loss, log1p32, softplus32

__all__ = ["BlackoutLoss"]

_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)


class BlackoutLoss(NamedTuple):
    """Softmax over target and draws, each draw's share told from 1; it has no settings."""


@inline
def _take_out_first(
    terms: NDArray[np.float32], multiplicity: NDArray[np.float32]
) -> tuple[int, np.float32, np.float32]:
    """Return place and term of the draw that has more than all others and the target, if any.

    It alone can have a share near 1: taken apart (its place holds -inf then), what it leaves for
    the rest keeps its digits. The third number is the highest of the rest, the target's 0 among
    them; a class that is drawn twice has at most 1/2 a draw, and stays.
    """
    place, highest = -1, _ZERO
    for k in range(len(terms)):
        if terms[k] > highest:
            place, highest = k, terms[k]
    first = np.float32(-np.inf)
    if place >= 0 and multiplicity[place] == _ONE:
        first, terms[place] = terms[place], first
    else:
        place = -1
    highest = _ZERO
    for k in range(len(terms)):
        highest = max(highest, terms[k])
    return place, first, highest


@inline
def _write_derivatives(
    place: int,
    first: np.float32,
    rest: np.float32,
    multiplicity: NDArray[np.float32],
    d_scores: NDArray[np.float32],
) -> tuple[float, np.float32]:
    """Turn each draw's share of the rest into its derivative, ``rest`` being 1 less the first.

    Returns ``-sum log(1 - share)`` over the draws but the first, and the sum of their odds.
    """
    loss, odds = 0.0, 0.0
    for k in range(len(d_scores)):
        share = rest * d_scores[k]
        odd = share / (_ONE - share)
        loss += multiplicity[k] * log1p32(odd)
        odds += multiplicity[k] * odd
    all_odds = np.float32(odds)
    for k in range(len(d_scores)):
        share = rest * d_scores[k]
        slope = share / (_ONE - share) + share * (_ONE - all_odds) - first * d_scores[k]
        d_scores[k] = multiplicity[k] * slope
    if place >= 0:
        d_scores[place] = first * (_TWO - all_odds)
    return loss, all_odds


def _example_loss(
    loss: BlackoutLoss,
    target_score: np.float32,
    target_log_count: np.float32,
    scores: NDArray[np.float32],
    log_counts: NDArray[np.float32],
    multiplicity: NDArray[np.float32],
    hit: int,
    d_scores: NDArray[np.float32],
) -> tuple[float, float]:
    """Return loss and target's derivative; a hit is left out."""
    if not finite(float(target_log_count)):
        return np.inf, 0.0  # of a q of 0: it would give the target all the mass, and teach nothing
    for k in range(len(scores)):
        d_scores[k] = (scores[k] - target_score) + (target_log_count - log_counts[k])
    if hit >= 0:
        d_scores[hit] = np.float32(-np.inf)
    place, term, highest = _take_out_first(d_scores, multiplicity)
    negatives = 0.0
    for k in range(len(scores)):
        d_scores[k] = exp32(d_scores[k] - highest)
        negatives += multiplicity[k] * d_scores[k]
    target = float(exp32(-highest))
    total = negatives + target
    scale = np.float32(1.0 / total)
    for k in range(len(scores)):
        d_scores[k] *= scale
    log_total = float(highest) + np.log(total)
    log_odds = np.float32(term - log_total)
    first_loss, first = softplus32(log_odds)
    rest = softplus32(-log_odds)[1]
    others_loss, odds = _write_derivatives(place, first, rest, multiplicity, d_scores)
    # The target's share less 1 as minus the share of the others: exact where it is close to 1.
    d_target = -first - rest * negatives / total - target / total * (rest * odds + first)
    return float(log_total + 2.0 * first_loss + others_loss), float(d_target)


example_loss.register(BlackoutLoss, _example_loss)
