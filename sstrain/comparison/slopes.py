"""How bias and variance fall with the number of samples."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sstrain.comparison.end_figures import Mean, Place, end_figures

if TYPE_CHECKING:
    from sstrain.comparison.records import CellRecord

__all__ = ["PLACES", "Slope", "fit_slope", "slopes"]

#: Of which a slope is fitted.
PLACES = [
    Place(level, space, quantity)
    for level, space in (
        ("example", "score"),
        ("example", "weight"),
        ("batch", "score"),
        ("batch", "weight"),
    )
    for quantity in ("relative_bias", "relative_variance")
]


class Slope(NamedTuple):
    """A straight line through points on log axes.

    Attributes
    ----------
    slope : float
    intercept : float
        The logarithm of the line at K = 1.
    standard_error : float or None
        Of the slope, by the residuals; None for fewer than three points.
    points : int
    """

    slope: float
    intercept: float
    standard_error: float | None
    points: int

    def __str__(self) -> str:
        error = "" if self.standard_error is None else f" ± {self.standard_error:.2f}"
        return f"{self.slope:.2f}{error}".replace("-", "−")

    def at(self, num_samples: float) -> float:
        """Return the line's height at K."""
        return math.exp(self.intercept + self.slope * math.log(num_samples))


def fit_slope(curve: Sequence[tuple[int, Mean]]) -> Slope | None:
    """Fit a slope by least squares on log axes.

    Parameters
    ----------
    curve : sequence of (int, Mean)
        K and a figure. Closed forms are taken where all have one; among measured values one whose
        interval reaches 0 says nothing of its logarithm and is left out.

    Returns
    -------
    Slope or None
        None if fewer than two points are left.
    """
    exact = [(num_samples, mean.closed_form) for num_samples, mean in curve if mean.closed_form]
    measured = [(num_samples, mean.value) for num_samples, mean in curve if mean.low > 0]
    points = exact if len(exact) == len(curve) else measured
    if len(points) < 2:
        return None
    x, y = np.log(np.array(points, np.float64)).T
    centred = x - x.mean()
    square = float(np.sum(centred**2))
    slope = float(np.sum(centred * y)) / square
    intercept = float(y.mean() - slope * x.mean())
    error = None
    if len(points) > 2:
        residuals = y - intercept - slope * x
        error = math.sqrt(float(np.sum(residuals**2)) / (len(points) - 2) / square)
    return Slope(slope, intercept, error, len(points))


def slopes(records: "Iterable[CellRecord]") -> list[dict[str, Any]]:
    """Return the slope of relative bias and relative variance against K.

    Parameters
    ----------
    records : iterable of CellRecord

    Returns
    -------
    list of dict
        ``objective``, ``sampler``, ``level``, ``space``, ``quantity``, ``weights`` (at whose),
        ``slope``, ``standard_error`` (or None) and ``points``, for each that can be fitted.
    """
    figures = end_figures(records)
    return [
        {
            "objective": objective,
            "sampler": sampler,
            **place._asdict(),
            "weights": figures.weights,
            "slope": fit.slope,
            "standard_error": fit.standard_error,
            "points": fit.points,
        }
        for objective, sampler in dict.fromkeys((a.objective, a.sampler) for a in figures.means)
        for place in PLACES
        if (fit := fit_slope(figures.curve(objective, sampler, place))) is not None
    ]
