"""The sampled gradient against the exact one: sums over drawn classes alone, no pass over V.

A sampled gradient is sparse: each example's target and its candidates. What it is compared with is
dense, the exact gradient P [B, V] or a linear map of it, and is read at the drawn classes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.candidates import Candidates

__all__ = [
    "SampledGradients",
    "add_error_squares",
    "add_negatives",
    "effective_sample_sizes",
    "example_products",
    "gather_scores",
    "merge_hits",
    "projected_product",
    "squared_norm_of_mean",
    "squared_norm_of_mean_by_feature",
]


class SampledGradients(NamedTuple):
    """Each example's own score gradient: of its target and of its candidates, 1 or B groups."""

    classes: NDArray[np.int32]  # [G, K], rising; entries from `counts` on are not set
    counts: NDArray[np.int32]  # [G]
    targets: NDArray[np.int32]  # [B]
    d_targets: NDArray[np.float32]  # [B]
    d_scores: NDArray[np.float32]  # [B, K], 0 where the candidate is the target


@inline
def _group(counts: NDArray[np.int32], example: int) -> int:
    return 0 if len(counts) == 1 else example


@kernel
def gather_scores(
    all_scores: NDArray[np.float32],
    candidates: Candidates,
    targets: NDArray[np.int32],
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Write the scores of targets, float32 [B], and candidates, [B, K], out of all, [B, V]."""
    for i in range(len(targets)):
        target_scores[i] = all_scores[i, targets[i]]
        group = _group(candidates.counts, i)
        for k in range(candidates.counts[group]):
            scores[i, k] = all_scores[i, candidates.classes[group, k]]


@kernel
def merge_hits(
    hits: NDArray[np.int32], d_targets: NDArray[np.float32], d_scores: NDArray[np.float32]
) -> None:
    """Move what a hit's place holds, float32 [B, K], to the targets' derivatives, [B]."""
    for i in range(len(hits)):
        if hits[i] >= 0:
            d_targets[i] += d_scores[i, hits[i]]
            d_scores[i, hits[i]] = np.float32(0)


@kernel
def add_error_squares(
    sampled: SampledGradients,
    exact: NDArray[np.float64],
    norms: NDArray[np.float64],
    group: int,
    squares: NDArray[np.float64],
    products: NDArray[np.float64],
) -> None:
    """Add each example's ``||d||^2`` and ``<d, P>``, ``d = A - P``, in two parts.

    Parameters
    ----------
    sampled : SampledGradients
        A.
    exact : float64 array of shape [B, V]
        P.
    norms : float64 array of shape [2, B]
        ``||P||^2`` over all classes but the target, and the target's square.
    group : int
        Where to add to.
    squares, products : float64 arrays of shape [2, B, G]
        The negatives' part and the target's; added to.
    """
    for i in range(len(sampled.targets)):
        row = _group(sampled.counts, i)
        square, product = 0.0, 0.0
        for k in range(sampled.counts[row]):
            value = np.float64(sampled.d_scores[i, k])
            square += value * value
            product += value * exact[i, sampled.classes[row, k]]
        squares[0, i, group] += square - 2 * product + norms[0, i]
        products[0, i, group] += product - norms[0, i]
        target = exact[i, sampled.targets[i]]
        error = np.float64(sampled.d_targets[i]) - target
        squares[1, i, group] += error * error
        products[1, i, group] += error * target


@kernel
def add_negatives(
    sampled: SampledGradients, start: int, group: int, sums: NDArray[np.float32]
) -> None:
    """Add the candidates' derivatives to ``sums[:, group]``, float32 [B, G, T], dense.

    ``sums`` holds the classes from ``start`` on; those outside are left out.
    """
    stop = start + sums.shape[2]
    for i in range(len(sampled.targets)):
        row = _group(sampled.counts, i)
        for k in range(sampled.counts[row]):
            j = sampled.classes[row, k]
            if start <= j < stop:
                sums[i, group, j - start] += sampled.d_scores[i, k]


@inline
def _accumulate(
    sampled: SampledGradients, example: int, factor: float, sums: NDArray[np.float64]
) -> None:
    row = _group(sampled.counts, example)
    for k in range(sampled.counts[row]):
        sums[sampled.classes[row, k]] += factor * sampled.d_scores[example, k]
    sums[sampled.targets[example]] += factor * sampled.d_targets[example]


@inline
def _take_squares(sampled: SampledGradients, example: int, sums: NDArray[np.float64]) -> float:
    """Return the squares of what the example's classes hold, and clear it."""
    row = _group(sampled.counts, example)
    square = sums[sampled.targets[example]] ** 2
    sums[sampled.targets[example]] = 0
    for k in range(sampled.counts[row]):
        j = sampled.classes[row, k]
        square += sums[j] * sums[j]
        sums[j] = 0
    return float(square)


@kernel
def squared_norm_of_mean(
    sampled: SampledGradients, shares: NDArray[np.float64], scratch: NDArray[np.float64]
) -> float:
    """Return ``||sum_e share_e A_e||^2``; ``scratch``, float64 [V], is zero before and after."""
    for i in range(len(shares)):
        _accumulate(sampled, i, shares[i], scratch)
    square = 0.0
    for i in range(len(shares)):
        square += _take_squares(sampled, i, scratch)
    return square


@kernel
def squared_norm_of_mean_by_feature(
    sampled: SampledGradients,
    batch: BatchArrays,
    num_features: int,
    shares: NDArray[np.float64],
    scratch: NDArray[np.float64],
) -> float:
    """Return ``||sum_e share_e x_e A_e^T||^2``: the gradient by the weights of features.

    ``scratch``, float64 [V], is zero before and after.
    """
    square = 0.0
    for slot in range(num_features):
        start, stop = batch.column_indptr[slot], batch.column_indptr[slot + 1]
        for entry in range(start, stop):
            i = batch.column_rows[entry]
            _accumulate(sampled, i, shares[i] * batch.column_values[entry], scratch)
        for entry in range(start, stop):
            square += _take_squares(sampled, batch.column_rows[entry], scratch)
    return square


@kernel
def projected_product(
    sampled: SampledGradients, shares: NDArray[np.float64], projected: NDArray[np.float64]
) -> float:
    """Return ``sum_e share_e <A_e, projected_e>``, ``projected`` of shape [1 or B, V]."""
    total = 0.0
    for i in range(len(shares)):
        row = _group(sampled.counts, i)
        onto = projected[0 if len(projected) == 1 else i]
        product = np.float64(sampled.d_targets[i]) * onto[sampled.targets[i]]
        for k in range(sampled.counts[row]):
            product += np.float64(sampled.d_scores[i, k]) * onto[sampled.classes[row, k]]
        total += shares[i] * product
    return total


@kernel
def effective_sample_sizes(
    scores: NDArray[np.float32],
    candidates: Candidates,
    hits: NDArray[np.int32],
    sizes: NDArray[np.float64],
) -> None:
    """Write ``(sum w)^2 / sum w^2`` over each example's draws, float64 [B]; hits are left out.

    A draw's weight is ``exp(z_j) / E[n_j]``, and a class drawn twice counts twice; 0 where all
    draws are hits.
    """
    for i in range(len(hits)):
        row = _group(candidates.counts, i)
        highest = -np.inf
        for k in range(candidates.counts[row]):
            if k != hits[i]:
                highest = max(highest, scores[i, k] - candidates.log_expected_count[row, k])
        total, squares = 0.0, 0.0
        for k in range(candidates.counts[row]):
            if k != hits[i]:
                log_weight = scores[i, k] - candidates.log_expected_count[row, k]
                weight = np.exp(np.float64(log_weight - highest))
                total += candidates.multiplicity[row, k] * weight
                squares += candidates.multiplicity[row, k] * weight * weight
        sizes[i] = total * total / squares if squares > 0 else 0.0


@kernel
def example_products(batch: BatchArrays, num_features: int, products: NDArray[np.float64]) -> None:
    """Write ``x_e . x_e'`` of every pair of examples, float64 [B, B]."""
    products[:] = 0
    for slot in range(num_features):
        start, stop = batch.column_indptr[slot], batch.column_indptr[slot + 1]
        for one in range(start, stop):
            value = np.float64(batch.column_values[one])
            for other in range(start, stop):
                products[batch.column_rows[one], batch.column_rows[other]] += (
                    value * batch.column_values[other]
                )
