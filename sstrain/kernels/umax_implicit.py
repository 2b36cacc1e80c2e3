"""The implicit (proximal) step of U-max's loss at a given u, for one example's drawn classes.

With a_k = z_k - z_c + log n_k - log m_k - u and h the step size, it is where

    sum_k exp(a_k - w_k - A) + (sum_k w_k^2 + A^2) / (2 h)

is least over the falls w_k of the drawn scores and the rise A of the target's: w_k is
W(h exp(a_k - A)), with Lambert's function W, and A is the sum of all w_k.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline

__all__ = ["implicit_slopes", "lambert_of_exp"]

_NEWTON_STEPS = 5
_MOST_STEPS = 50
_TOLERANCE = 1e-12


@inline
def lambert_of_exp(x: float) -> float:
    """Return W(exp(x)), the w > 0 with ``w + log w = x``.

    Newton's method rises to the root of this concave function from any point below it.
    """
    if x < -40:
        return math.exp(x)
    w = x - math.log(x) if x > 1 else math.exp(x) / (1 + math.exp(x))
    for _ in range(_NEWTON_STEPS):
        w *= (1 + x - math.log(w)) / (1 + w)
    return w


@inline
def _rise_of_target(offset: float, terms: NDArray[np.float32]) -> float:
    """Return the root A of ``A - sum_k W(exp(terms_k + offset - A))``.

    This function of A is concave too: from 0 Newton's method rises to the root.
    """
    rise = 0.0
    for _ in range(_MOST_STEPS):
        total, slope = 0.0, 1.0
        for k in range(len(terms)):
            w = lambert_of_exp(terms[k] + offset - rise)
            total += w
            slope += w / (1 + w)
        change = (total - rise) / slope
        rise += change
        if abs(change) <= _TOLERANCE * rise:
            break
    return rise


@inline
def implicit_slopes(u: float, step_size: float, d_scores: NDArray[np.float32]) -> float:
    """Write the candidates' gradients at the end of the step; return their sum.

    ``d_scores`` holds first the terms ``a_k + u``.
    """
    offset = math.log(step_size) - u
    rise = _rise_of_target(offset, d_scores)
    total = 0.0
    for k in range(len(d_scores)):
        slope = lambert_of_exp(d_scores[k] + offset - rise) / step_size
        d_scores[k] = np.float32(slope)
        total += slope
    return total
