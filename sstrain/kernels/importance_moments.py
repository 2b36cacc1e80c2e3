"""The importance gradient's exact expectations over independent draws, by quadrature.

docs/derivation.md, equations (33) to (38); Z is 1 here, so that exp(z) is p.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, precise, signed

__all__ = ["importance_moments"]

Float64 = NDArray[np.float64]

# The trapezoidal rule in u = log t. Its relative error for 1/Z~ and 1/Z~^2, whatever Z~ is, is at
# most about exp(-pi^2 / step) and ten times this.
_STEP = 0.3
_FIRST = -30.0
#: Logs of ratios p / q are cut here from above, and the log of p_c at minus this.
_MAX_LOG = 300.0
_MAX_NODES = math.ceil((_MAX_LOG - _FIRST + 4) / _STEP)
#: The sum ends where exp(-t) and the smallest transform that is used are below exp of minus this.
_NEGLIGIBLE = 42.0

# What becomes of hits; 0 is to drop them.
_KEEP, _RESAMPLE = 1, 2

# As round-to-nearest adds it to x, the lowest bits of the sum are the nearest integer to x.
_ROUND = 6755399441055744.0
_LOG2_E = 1.4426950408889634
# ln 2 in two parts (Cody and Waite): n * _LN2_HIGH is exact for the n that occur.
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_LOWEST = -708.0
_C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (
    1 / math.factorial(n) for n in range(3, 14)
)


@intrinsic
def _bits(typing_context: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def _float_of_bits(typing_context: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@precise
def _exp_and_less_one(x: float) -> tuple[float, float]:
    """Return exp(x) and exp(x) - 1 for x <= 0, both to full precision, as vector code."""
    clipped = x
    if x < _LOWEST:
        clipped = _LOWEST
    shifted = clipped * _LOG2_E + _ROUND
    n = shifted - _ROUND
    r = clipped - n * _LN2_HIGH - n * _LN2_LOW
    # The Taylor series up to r^13: |r| <= ln(2) / 2.
    tail = (((_C13 * r + _C12) * r + _C11) * r + _C10) * r + _C9
    tail = (((((tail * r + _C8) * r + _C7) * r + _C6) * r + _C5) * r + _C4) * r + _C3
    less_one = (tail * r + 0.5) * r * r + r
    power: float = _float_of_bits((_bits(shifted) + 1023) << 52)  # type: ignore[call-arg]
    return power + power * less_one, power * less_one + (power - 1.0)


@inline
def _law_of_a_draw(
    scores: NDArray[np.float32],
    target: int,
    log_q: Float64,
    hits: int,
    p: Float64,
    q: Float64,
    ratios: Float64,
) -> None:
    """Write p, the q of a draw and what a draw of each class adds to K Z~, float64 [V]."""
    highest = np.float64(np.max(scores))
    total = 0.0
    for j in range(len(scores)):
        total += math.exp(scores[j] - highest)
    log_partition = highest + math.log(total)
    others = 0.0
    for j in range(len(scores)):
        log_p = scores[j] - log_partition
        p[j] = math.exp(log_p)
        q[j] = math.exp(log_q[j])
        ratios[j] = math.exp(min(log_p - log_q[j], _MAX_LOG))
        others += q[j] if j != target else 0.0
    if hits != _KEEP:
        ratios[target] = 0
    if hits == _RESAMPLE:
        q[target] = 0
        for j in range(len(scores)):
            q[j] /= others
            ratios[j] *= others


@inline
def _log_transform(s: float, q: Float64, ratios: Float64, powers: Float64) -> float:
    """Write ``exp(-s a_j)``, float64 [V], and return the log of its mean under q."""
    mean, mean_less_one = 0.0, 0.0
    for j in range(len(q)):
        power, less_one = _exp_and_less_one(-s * ratios[j])
        powers[j] = power
        mean += q[j] * power
        mean_less_one += q[j] * less_one
    # Its K-th power multiplies its relative error by K: near 1 it is known by what 1 lacks.
    return math.log(max(mean, 1e-300)) if mean < 0.5 else math.log1p(mean_less_one)


@inline
def _integrate(
    base: float,
    num_samples: int,
    q: Float64,
    ratios: Float64,
    by_class: Float64,
    sums: Float64,
) -> None:
    """Write the integrals of (34) to (38), without the factor of the step.

    ``by_class`` [3, V]: of ``exp(-t a_i / K)`` times the transform of K - 1 draws, once and times
    t, and of its square times t and the transform of K - 2. ``sums`` [6]: of exp(-t), t exp(-t),
    M, t M, and ``(exp(-t) - M) / t`` without and with the factor log t.
    """
    powers = np.empty(len(q))
    by_class[:] = 0
    sums[:] = 0
    for node in range(_MAX_NODES):
        u = _FIRST + _STEP * node
        t = math.exp(u)
        log_phi = _log_transform(t / num_samples, q, ratios, powers)
        log_pair = max(num_samples - 2, 0) * log_phi - t * base
        if t > _NEGLIGIBLE and log_pair < -_NEGLIGIBLE:
            break
        one = t * math.exp((num_samples - 1) * log_phi - t * base)
        pair = t * t * math.exp(log_pair)
        for j in range(len(q)):
            by_class[0, j] += one * powers[j]
            by_class[1, j] += t * one * powers[j]
            by_class[2, j] += pair * powers[j] * powers[j]
        exact, sampled = math.exp(-t), math.exp(num_samples * log_phi - t * base)
        sums[0] += t * exact
        sums[1] += t * t * exact
        sums[2] += t * sampled
        sums[3] += t * t * sampled
        sums[4] += exact - sampled
        sums[5] += u * (exact - sampled)


@inline
def _second_moment(
    i: int, num_samples: int, p: Float64, ratios: Float64, by_class: Float64, unit: float
) -> float:
    """Return the mean square of class i's term, (35)."""
    single = p[i] * (ratios[i] / num_samples) * by_class[1, i]
    pair = p[i] * p[i] * (1 - 1 / num_samples) * by_class[2, i]
    return float((single + pair) / unit)


@inline
def _example(
    target: int,
    num_samples: int,
    keep: bool,
    p: Float64,
    q: Float64,
    ratios: Float64,
    errors: Float64,
    figures: Float64,
) -> None:
    by_class, sums = np.empty((3, len(p))), np.empty(6)
    base = max(p[target], math.exp(-_MAX_LOG))
    _integrate(base, num_samples, q, ratios, by_class, sums)
    # By what the same sums give for exp(-t), whose integrals are 1: errors cancel near Z~ = Z.
    first, second = sums[0], sums[1]
    negatives = 0.0
    for i in range(len(p)):
        mean = by_class[0, i] / first
        errors[i] = p[i] * (mean - 1)
        square = _second_moment(i, num_samples, p, ratios, by_class, second)
        negatives += max(square - (p[i] * mean) ** 2, 0.0) if i != target else 0.0
    mean, square = p[target] * sums[2] / first, p[target] ** 2 * sums[3] / second
    if keep:
        mean += p[target] * by_class[0, target] / first
        square += _second_moment(target, num_samples, p, ratios, by_class, second)
        square += 2 * p[target] ** 2 * by_class[1, target] / second
    errors[target] = mean - p[target]
    expected = 0.0
    for j in range(len(p)):
        expected += q[j] * ratios[j]
    spread = 0.0
    for j in range(len(p)):
        spread += q[j] * (ratios[j] - expected) ** 2
    bias = _STEP * sums[4]
    figures[0] = negatives
    figures[1] = max(square - mean**2, 0.0)
    figures[2] = bias
    figures[3] = max(-2 * (_STEP * sums[5] + np.euler_gamma * bias) - bias**2, 0.0)
    figures[4] = spread / num_samples


@parallel_kernel
def importance_moments(
    scores: NDArray[np.float32],
    targets: NDArray[np.int32],
    log_q: Float64,
    num_samples: int,
    hits: int,
    errors: Float64,
    figures: Float64,
) -> None:
    """Write exact expectations over K independent draws, at given scores.

    The quadrature has about 120 nodes for most examples, more where p_c is tiny. A p_c below
    exp(-300) counts as that, and so does a p / q above exp(300).

    Parameters
    ----------
    scores : float32 array of shape [B, V]
    targets : int32 array of shape [B]
    log_q : float64 array of shape [1, V] or [B, V]
    num_samples : int
        K.
    hits : int
        0: dropped; 1: kept; 2: drawn again.
    errors : float64 array of shape [B, V]
        Written: the bias of each example's score gradient, (34) and (36).
    figures : float64 array of shape [B, 5]
        Written: the variances of the score gradient, summed over all classes but the target (35)
        and of the target (36); bias and variance of log Z~ (37), (38); Var(Z~) / Z^2 (17).
    """
    num_classes = scores.shape[1]
    for index in prange(len(targets)):
        i = signed(index)
        p, q, ratios = np.empty(num_classes), np.empty(num_classes), np.empty(num_classes)
        row = log_q[i] if len(log_q) > 1 else log_q[0]
        _law_of_a_draw(scores[i], targets[i], row, hits, p, q, ratios)
        _example(targets[i], num_samples, hits == _KEEP, p, q, ratios, errors[i], figures[i])
