"""The errors of the sampled gradient under one quadratic form, and the figures made of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sstrain.diagnostics.figures import Figure
from sstrain.diagnostics.intervals import (
    Estimate,
    examples_error,
    mean_estimate,
    off_diagonal_mean,
    positive_interval,
    squared_norm_estimate,
)

__all__ = ["ErrorForm", "gradient_figures"]

Float64 = NDArray[np.float64]

_WORDS = {
    "example": {
        "bias_norm": "root mean square of the examples' norms",
        "relative_bias": "root mean square of the examples' norms, over the exact gradient's",
        "bias_cosine": "of the examples' gradients laid end to end",
        "variance": "mean over examples",
        "relative_variance": "mean over examples, over the exact gradient's mean square",
        "mean_squared_error": "mean over examples",
    },
    "batch": {
        "bias_norm": "norm of the batch's mean",
        "relative_bias": "norm of the batch's mean, over the exact gradient's",
        "bias_cosine": "of the batch's means",
        "variance": "of the batch's mean",
        "relative_variance": "of the batch's mean, over the exact gradient's square",
        "mean_squared_error": "of the batch's mean",
    },
}


@dataclass(frozen=True)
class ErrorForm:
    """Errors ``d = A - P`` of the sampled gradient A, under a form Q, for each of N members.

    A member is an example or a batch; G independent groups of replicates were drawn.

    Attributes
    ----------
    squares : float64 array of shape [N, G]
        Mean of ``Q(d, d)`` over each group's replicates.
    grams : float64 array of shape [N, G, G]
        ``Q(m_g, m_g')`` of the groups' mean errors.
    products : float64 array of shape [N, G]
        ``Q(m_g, P)``.
    norms : float64 array of shape [N]
        ``Q(P, P)``.
    """

    squares: Float64
    grams: Float64
    products: Float64
    norms: Float64

    def times(self, factors: Float64) -> "ErrorForm":
        """Return the form times one factor for each member, [N]."""
        return ErrorForm(
            self.squares * factors[:, np.newaxis],
            self.grams * factors[:, np.newaxis, np.newaxis],
            self.products * factors[:, np.newaxis],
            self.norms * factors,
        )

    def __add__(self, other: "ErrorForm") -> "ErrorForm":
        return ErrorForm(
            self.squares + other.squares,
            self.grams + other.grams,
            self.products + other.products,
            self.norms + other.norms,
        )

    @staticmethod
    def joined(forms: "list[ErrorForm]") -> "ErrorForm":
        """Return one form of all members."""
        return ErrorForm(
            np.concatenate([form.squares for form in forms]),
            np.concatenate([form.grams for form in forms]),
            np.concatenate([form.products for form in forms]),
            np.concatenate([form.norms for form in forms]),
        )


# Figures as functions of b = ||bias||^2, m = mean squared error, c = <bias, P>, n = ||P||^2.
_FORMULAS: dict[str, Callable[[Float64, Float64, Float64, Float64], Float64]] = {
    "bias_norm": lambda b, m, c, n: np.sqrt(np.maximum(b, 0)),
    "relative_bias": lambda b, m, c, n: np.sqrt(np.maximum(b, 0) / n),
    "bias_cosine": lambda b, m, c, n: _cosine(np.maximum(b - c * c / n, 0), c, n),
    "variance": lambda b, m, c, n: m - b,
    "relative_variance": lambda b, m, c, n: (m - b) / n,
    "mean_squared_error": lambda b, m, c, n: m,
}


def _cosine(across: Float64, product: Float64, norm: Float64) -> Float64:
    """Return the cosine of ``P + bias`` and P; ``across``: square of the bias at right angles."""
    along = (norm + product) / np.sqrt(norm)
    return np.asarray(along / np.sqrt(along**2 + across))


def gradient_figures(
    form: ErrorForm, level: str, space: str, part: str, closed: Mapping[str, float]
) -> list[Figure]:
    """Return the figures of one level, space and part; of a gradient that is zero, none.

    Parameters
    ----------
    form : ErrorForm
        Figures are of the mean over its members.
    level, space, part : str
    closed : mapping
        Exact expectations of ``bias_square``, ``mean_squared_error`` and ``product`` (of the bias
        and the exact gradient), as far as they are known.
    """
    norm = float(np.mean(form.norms))
    if norm == 0:
        return []
    columns = (
        off_diagonal_mean(form.grams),
        form.squares.mean(axis=1),
        form.products.mean(axis=1),
        form.norms,
    )
    exact = _closed_forms(closed, norm)
    figures = []
    for quantity, estimate in _estimates(form, norm).items():
        formula = _FORMULAS[quantity]
        # A bias that is not seen has no error to speak of.
        seen = level == "example" and estimate.value != 0
        error = examples_error(formula, *columns) if seen else None
        words = _WORDS[level][quantity]
        figures.append(
            Figure(quantity, level, space, part, words, *estimate, error, exact.get(quantity))
        )
    return figures


def _estimates(form: ErrorForm, norm: float) -> dict[str, Estimate]:
    """Return each figure with its interval."""
    gram, products = form.grams.mean(axis=0), form.products.mean(axis=0)
    square = form.squares.mean(axis=0)
    bias = _root(squared_norm_estimate(gram))
    variance = _variance(gram, square)
    return {
        "bias_norm": bias,
        "relative_bias": _scaled(bias, norm**-0.5),
        "bias_cosine": _cosine_estimate(gram, products, norm),
        "variance": variance,
        "relative_variance": _scaled(variance, 1 / norm),
        "mean_squared_error": mean_estimate(square, positive=True),
    }


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(*(factor * x for x in estimate))


def _root(estimate: Estimate) -> Estimate:
    return Estimate(*(float(np.sqrt(max(x, 0.0))) for x in estimate))


def _variance(gram: Float64, squares: Float64) -> Estimate:
    """Return mean squared error less squared bias, with the jackknife's interval over groups."""
    count = len(squares)
    off = gram - np.diag(np.diag(gram))
    without = (off.sum() - 2 * off.sum(axis=1)) / ((count - 1) * (count - 2))
    left = (squares.sum() - squares) / (count - 1) - without
    error = float(np.sqrt((count - 1) * np.mean((left - left.mean()) ** 2)))
    value = float(squares.mean() - off.sum() / (count * (count - 1)))
    return positive_interval(value, error)


def _cosine_estimate(gram: Float64, products: Float64, norm: float) -> Estimate:
    """Return the cosine by the part of the bias at right angles to the exact gradient.

    The squared tangent ``across / along^2`` is a squared norm whose Gram matrix is, to first order,
    that of the groups' errors less their part along P, and a linear term for ``along``.
    """
    across = gram - np.outer(products, products) / norm
    along = (norm + products) / np.sqrt(norm)
    mean = float(along.mean())
    square = float(off_diagonal_mean(across))
    deviation = along[:, np.newaxis] + along[np.newaxis] - 2 * mean
    tangent = squared_norm_estimate(across / mean**2 - square / mean**3 * deviation)
    ends = [float(np.sign(mean) / np.sqrt(1 + max(x, 0.0))) for x in tangent]
    return Estimate(ends[0], min(ends[1:]), max(ends[1:]))


def _closed_forms(closed: Mapping[str, float], norm: float) -> dict[str, float]:
    """Return the figures that follow from the exact expectations."""
    b, m = closed.get("bias_square"), closed.get("mean_squared_error")
    c = closed.get("product")
    known = {
        "bias_norm": b is not None,
        "relative_bias": b is not None,
        "bias_cosine": b is not None and c is not None,
        "variance": b is not None and m is not None,
        "relative_variance": b is not None and m is not None,
        "mean_squared_error": m is not None,
    }
    arguments = [np.float64(0.0 if x is None else x) for x in (b, m, c, norm)]
    return {
        quantity: float(_FORMULAS[quantity](*arguments))  # type: ignore[arg-type]
        for quantity, is_known in known.items()
        if is_known
    }
