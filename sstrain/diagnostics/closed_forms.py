"""What the sampled gradient and the draws are on average: exactly, without drawing."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sstrain.diagnostics.exact import exact_gradient

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.diagnostics.exact import ExactGradient
    from sstrain.objectives.base import Moments, SampledObjective

__all__ = ["closed_forms"]

Float64 = NDArray[np.float64]
#: Quantity, level, space and part, as in `sstrain.diagnostics.figures.Figure`.
Key = tuple[str, str, str, str]


def closed_forms(
    objective: "SampledObjective",
    scores: NDArray[np.float32],
    batch: "Batch",
    log_q: Float64,
    num_samples: int,
    replacement: bool,
    share: str,
) -> dict[Key, float] | None:
    """Return the expectations that are known exactly.

    Memory is 24 bytes x B x V.

    Parameters
    ----------
    objective : SampledObjective
    scores : float32 array of shape [B, V]
        Of all classes.
    batch : Batch
    log_q : float64 array of shape [1, V] or [B, V]
    num_samples : int
        K.
    replacement : bool
    share : str
        ``batch`` or ``example``.

    Returns
    -------
    dict or None
        By quantity, level, space and part: of the draws ``accidental_hit_rate`` and
        ``distinct_classes``; of an objective with exact moments ``log_partition_bias``,
        ``log_partition_variance``, ``partition_relative_variance`` and, of the gradient,
        ``bias_square``, ``product`` (of the bias and the exact gradient), ``variance`` and
        ``mean_squared_error``. For the batch's gradient the last two are known only if examples
        draw independently of each other. None for draws without replacement.
    """
    if not replacement:
        return None
    known = _draws(log_q, batch.targets, num_samples, objective.excludes_targets)
    moments = objective.moments(scores, batch.targets, log_q, num_samples)
    if moments is None:
        return known
    known["log_partition_bias", "example", "", ""] = float(moments.log_bias.mean())
    known["log_partition_variance", "example", "", ""] = float(moments.log_variance.mean())
    variance = float(moments.partition_variance.mean())
    known["partition_relative_variance", "example", "", ""] = variance
    exact = exact_gradient(scores, batch)
    return known | _of_examples(moments, exact, batch.targets) | _of_batch(moments, exact, share)


def _draws(
    log_q: Float64, targets: NDArray[np.int32], num_samples: int, excludes_targets: bool
) -> dict[Key, float]:
    rows = np.arange(len(targets)) if len(log_q) > 1 else np.zeros(len(targets), np.int64)
    hit_rate = 0.0 if excludes_targets else float(np.exp(log_q[rows, targets]).mean())
    if excludes_targets:
        distinct = [
            _distinct(np.delete(np.exp(log_q[row]), target), num_samples)
            for row, target in zip(rows, targets, strict=True)
        ]
    else:
        distinct = [_distinct(np.exp(row), num_samples) for row in log_q]
    return {
        ("accidental_hit_rate", "draws", "", ""): hit_rate,
        ("distinct_classes", "draws", "", ""): float(np.mean(distinct)),
    }


def _distinct(q: Float64, num_samples: int) -> float:
    """Return how many distinct classes K draws in proportion to q hold, equation (39)."""
    with np.errstate(divide="ignore"):  # log 0 for a class that is always drawn
        return float(-np.expm1(num_samples * np.log1p(-np.minimum(q / q.sum(), 1))).sum())


def _of_examples(
    moments: "Moments", exact: "ExactGradient", targets: NDArray[np.int32]
) -> dict[Key, float]:
    """Return the means over examples of each one's own gradient."""
    rows = np.arange(len(targets))
    target_error = moments.errors[rows, targets]
    target_product = target_error * exact.gradient[rows, targets]
    square = np.einsum("ij,ij->i", moments.errors, moments.errors)
    product = np.einsum("ij,ij->i", moments.errors, exact.gradient)
    all_variance = moments.negatives_variance + moments.target_variance
    parts = {
        "all": (square, product, all_variance),
        "target": (target_error**2, target_product, moments.target_variance),
        "negatives": (
            np.maximum(square - target_error**2, 0),
            product - target_product,
            moments.negatives_variance,
        ),
    }
    known: dict[Key, float] = {}
    for space, factors in {"score": np.ones(len(rows)), "weight": exact.feature_squares}.items():
        for part, columns in parts.items():
            means = [float(np.mean(factors * column)) for column in columns]
            known |= _gradient(("example", space, part), *means)
    return known


def _of_batch(moments: "Moments", exact: "ExactGradient", share: str) -> dict[Key, float]:
    """Return what is of the batch's gradient."""
    mean = exact.shares @ moments.errors
    by_weight = float(np.vdot(exact.products, moments.errors @ moments.errors.T))
    squares = float(mean @ mean), max(by_weight, 0.0)
    products = float(mean @ exact.mean[0]), float(np.vdot(exact.projected, moments.errors))
    variances: tuple[float | None, float | None] = (None, None)
    if share == "example":
        each = exact.shares**2 * (moments.negatives_variance + moments.target_variance)
        variances = float(each.sum()), float(np.dot(exact.feature_squares, each))
    known: dict[Key, float] = {}
    spaces = ("score", "weight")
    for space, square, product, variance in zip(spaces, squares, products, variances, strict=True):
        known |= _gradient(("batch", space, "all"), square, product, variance)
    return known


def _gradient(
    place: tuple[str, str, str], square: float, product: float, variance: float | None
) -> dict[Key, float]:
    known: dict[Key, float] = {("bias_square", *place): square, ("product", *place): product}
    if variance is not None:
        known["variance", *place] = variance
        known["mean_squared_error", *place] = variance + square
    return known
