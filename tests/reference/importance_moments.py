"""Expectations over independent draws in closed form: docs/derivation.md, equations (33) to (39).

For scores that exp can take.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reference.softmax import probabilities

__all__ = ["Law", "Moments", "distinct_classes", "law", "log_moments", "moments", "transform"]

Floats = NDArray[np.float64]


class Law(NamedTuple):
    """What draws of one example are: ``Z~ / Z = p_c + (1/K) sum_k a_{j_k}`` with ``j_k ~ q``."""

    target: int
    num_samples: int
    keep: bool
    p: Floats  # [V]
    q: Floats  # [V], of a draw
    a: Floats  # [V]


class Moments(NamedTuple):
    """Of the score gradient ``d`` [V]: means and variances."""

    mean: Floats
    variance: Floats


def law(scores: Floats, target: int, q: Floats, num_samples: int, hits: str) -> Law:
    """Return the law of K draws from q [V] by what becomes of hits."""
    p = probabilities(scores)
    if hits == "resample":
        q = np.where(np.arange(len(q)) == target, 0, q)
        q = q / q.sum()
    a = np.divide(p, q, out=np.zeros_like(p), where=q > 0)
    if hits == "drop":
        a[target] = 0
    return Law(target, num_samples, hits == "keep", p, q, a)


def transform(t: float | Floats, draws: Law, num_draws: int) -> Floats:
    """Return ``exp(-t p_c) phi(t/K)^k``, equation (33), for k of the K draws."""
    # As 1 + (phi - 1): a sum of q that is 1 but for rounding would count K times.
    less_one = np.expm1(-np.multiply.outer(t, draws.a) / draws.num_samples) @ draws.q
    log_phi = np.log1p(np.maximum(less_one, 1e-16 - 1))
    return np.asarray(np.exp(num_draws * log_phi - t * draws.p[draws.target]))


def moments(draws: Law) -> Moments:
    """Return (34), (35) and (36)."""
    c, k, p, a = draws.target, draws.num_samples, draws.p, draws.a
    t, weights = nodes(p[c])
    powers = np.exp(-np.multiply.outer(t, a) / k)
    but_one, whole = transform(t, draws, k - 1), transform(t, draws, k)
    mean = p * ((weights * t * but_one) @ powers)
    single = (weights * t**2 * but_one) @ powers
    square = p * a / k * single
    if k > 1:
        pair = (weights * t**2 * transform(t, draws, k - 2)) @ powers**2
        square += p**2 * (k - 1) / k * pair
    variance = square - mean**2
    share = float(p[c] * np.sum(weights * t * whole))
    share_square = float(p[c] ** 2 * np.sum(weights * t**2 * whole))
    if draws.keep:
        share += float(mean[c])
        share_square += float(square[c] + 2 * p[c] ** 2 * single[c])
    mean[c], variance[c] = share - 1, share_square - share**2
    return Moments(mean, variance)


def log_moments(draws: Law) -> tuple[float, float]:
    """Return mean and variance of ``log(Z~ / Z)``, equations (37) and (38)."""
    t, weights = nodes(draws.p[draws.target])
    lacks = weights * (np.exp(-t) - transform(t, draws, draws.num_samples))
    mean = float(np.sum(lacks))
    square = -2 * float(np.sum(lacks * np.log(t)) + np.euler_gamma * mean)
    return mean, square - mean**2


def nodes(p_target: float) -> tuple[Floats, Floats]:
    """Return nodes t and their weights for integrals over log t: Gauss and Legendre's, in panels.

    From exp(-40) to where ``exp(-t p_c)`` is nothing.
    """
    points, weights = np.polynomial.legendre.leggauss(24)
    left = np.arange(-40, np.log(50 / p_target))
    u = left[:, np.newaxis] + (points + 1) / 2
    return np.exp(u).ravel(), np.tile(weights / 2, len(left))


def distinct_classes(q: Floats, num_samples: int) -> float:
    """Return how many distinct classes K draws from q [V] hold, equation (39)."""
    return float(np.sum(1 - (1 - q) ** num_samples))
