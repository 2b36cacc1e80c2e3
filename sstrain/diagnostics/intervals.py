"""Estimates from independent groups of draws, with their 95% intervals."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "GROUPS",
    "Estimate",
    "examples_error",
    "mean_estimate",
    "off_diagonal_mean",
    "positive_interval",
    "squared_norm_estimate",
    "standard_error_of_mean",
    "symmetric_interval",
]

Float64 = NDArray[np.float64]

#: G, independent groups of replicates.
GROUPS = 16
#: The 0.975 quantile of Student's t with G - 1 degrees of freedom.
QUANTILE = 2.131449545559323


class Estimate(NamedTuple):
    """A value and its interval."""

    value: float
    low: float
    high: float


def symmetric_interval(value: float, error: float) -> Estimate:
    """Return the t interval."""
    return Estimate(value, value - QUANTILE * error, value + QUANTILE * error)


def positive_interval(value: float, error: float) -> Estimate:
    """Return the t interval on the log scale, where a positive skewed figure is less skewed."""
    if value <= 0:
        return Estimate(value, min(value, 0.0), max(value, 0.0) + QUANTILE * error)
    factor = float(np.exp(min(QUANTILE * error / value, 300.0)))
    return Estimate(value, value / factor, value * factor)


def standard_error_of_mean(groups: Float64) -> float:
    """Return the standard error of the mean of independent values [G]."""
    return float(np.std(groups, ddof=1) / np.sqrt(len(groups)))


def mean_estimate(groups: Float64, positive: bool = False) -> Estimate:
    """Return the mean of the groups' values, float64 [G], with a t interval.

    ``positive`` says that the figure cannot be negative: the interval is made on the log scale.
    """
    interval = positive_interval if positive else symmetric_interval
    return interval(float(np.mean(groups)), standard_error_of_mean(groups))


def off_diagonal_mean(grams: Float64) -> Float64:
    """Return the mean of the elements off the diagonal of each matrix, [..., G, G]: unbiased.

    The elements are products of different groups' errors, so their noise does not add up as that
    of a square would.
    """
    count = grams.shape[-1]
    diagonal = np.trace(grams, axis1=-2, axis2=-1)
    return np.asarray((grams.sum(axis=(-2, -1)) - diagonal) / (count * (count - 1)))


def squared_norm_estimate(gram: Float64) -> Estimate:
    """Return ``||b||^2`` from the Gram matrix [G, G] of G independent ``b + noise``.

    The value is U, the mean off the diagonal. With S the noise's covariance, ``Var(U) =
    4 b'Sb / G + 2 tr(S^2) / (G (G - 1))`` (Hoeffding 1948). The interval holds every square from
    which U is less than a quantile away by the standard error *at that square*, as Wilson's does:
    a U that came out low has a low ``b'Sb`` beside it, and its own error would be too small.
    """
    count, value = len(gram), float(off_diagonal_mean(gram))
    centred = gram - gram.mean(axis=0) - gram.mean(axis=1)[:, np.newaxis] + gram.mean()
    freedom = count - 1
    trace = float(np.trace(centred)) / freedom
    if trace <= 0:
        return Estimate(value, value, value)
    # tr(S^2) without bias for normal noise (Srivastava 2005); the mean of a group is close to it.
    surplus = float(np.sum(centred**2)) / freedom**2 - trace**2 / freedom
    trace_square = surplus * freedom**2 / ((freedom + 2) * (freedom - 1))
    noise = 2 * trace_square / (count * freedom)
    # b'Sb / b'b, drawn towards the mean direction of the noise where b is hardly seen.
    doubt = float(np.sqrt(noise))
    along = _noise_along(gram) + trace_square / trace * doubt
    slope = 4 * along / ((max(value, 0.0) + doubt) * count)
    middle = value + QUANTILE**2 * slope / 2
    reach = slope * value + (QUANTILE * slope / 2) ** 2 + noise
    half = QUANTILE * float(np.sqrt(max(reach, 0.0)))
    return Estimate(value, middle - half, middle + half)


def _noise_along(gram: Float64) -> float:
    """Return ``b'Sb``, the covariance of two products that share a group; unbiased but for 0."""
    count = len(gram)
    off = gram - np.diag(np.diag(gram))
    rows = off.sum(axis=1)
    total, pairs = float(rows.sum()), float((off**2).sum())
    triples = float((rows**2).sum()) - pairs
    ordered = count * (count - 1) * (count - 2)
    disjoint = total**2 - 4 * triples - 2 * pairs
    return max(triples / ordered - disjoint / (ordered * (count - 3)), 0.0)


def examples_error(figure: Callable[..., Float64], *columns: Float64) -> float | None:
    """Return the jackknife's standard error of ``figure(mean of each column)``.

    Parameters
    ----------
    figure : callable
        Of as many arguments as there are columns; works on arrays.
    columns : float64 arrays of shape [N]
        What each example contributes.

    Returns
    -------
    float or None
        None for fewer than two examples.
    """
    count = len(columns[0])
    if count < 2:
        return None
    others = [(column.sum() - column) / (count - 1) for column in columns]
    values = figure(*others)
    return float(np.sqrt((count - 1) * np.mean((values - np.mean(values)) ** 2)))
