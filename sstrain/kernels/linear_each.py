"""A table of weights under a sampled gradient whose examples have their own candidates."""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.candidates import Candidates
from sstrain.kernels.linear_cells import apply_cells
from sstrain.kernels.tables import DenseTable, table_weight
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = ["linear_score_each", "linear_update_each"]

_ZERO, _ONE = np.float32(0), np.float32(1)


@parallel_kernel
def linear_score_each(
    table: Any,
    bias: NDArray[np.float32],
    batch: BatchArrays,
    targets: NDArray[np.int32],
    candidates: Candidates,
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Score each example's target and its own candidates (equation 1)."""
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(targets))
        for i in range(start, stop):
            count = candidates.counts[i]
            classes = candidates.classes[i]
            for k in range(count):
                scores[i, k] = bias[classes[k]]
            target_score = bias[targets[i]]
            for entry in range(batch.indptr[i], batch.indptr[i + 1]):
                row, x = batch.features[batch.slots[entry]], batch.values[entry]
                for k in range(count):
                    scores[i, k] += x * table_weight(table, row, classes[k])
                target_score += x * table_weight(table, row, targets[i])
            target_scores[i] = target_score


class RowGradient(NamedTuple):
    """The gradient of one row, over the classes that it touches."""

    total: NDArray[np.float32]  # [V], where `marks` has the row's stamp
    places: NDArray[np.int32]  # [V], the classes in the order in which they came
    marks: NDArray[np.int32]  # [V], the stamp of the row that touched the class last


@inline
def _add(j: int, share: np.float32, stamp: int, row: RowGradient, count: int) -> int:
    """Add to one class's gradient; list the class if the row had not touched it yet."""
    if row.marks[j] != stamp:
        row.marks[j] = stamp
        row.places[count] = j
        row.total[j] = _ZERO
        count += 1
    row.total[j] += share
    return count


@inline
def add_example(
    x: np.float32,
    i: int,
    targets: NDArray[np.int32],
    candidates: Candidates,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    stamp: int,
    row: RowGradient,
    count: int,
) -> int:
    """Add example i's share to a row's gradient, by class (equations 11, 12 and 25)."""
    for k in range(candidates.counts[i]):
        count = _add(candidates.classes[i, k], x * d_scores[i, k], stamp, row, count)
    return _add(targets[i], x * d_targets[i], stamp, row, count)


@inline
def update_bias_each(
    bias: NDArray[np.float32],
    rule: Any,
    average: Any,
    targets: NDArray[np.int32],
    candidates: Candidates,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    classes: NDArray[np.int32],
    stamp: int,
    row: RowGradient,
) -> int:
    """Update the bias, a row that every example holds with x = 1; return whether it is bad."""
    count = 0
    for i in range(len(targets)):
        count = add_example(_ONE, i, targets, candidates, d_targets, d_scores, stamp, row, count)
    table = DenseTable(bias, len(bias), np.uint64(0))
    probe = apply_cells(table, rule, average, 0, row.places[:count], classes, row.total)
    return 0 if probe == _ZERO else 1


@inline
def _update_rows(
    table: Any,
    rule: Any,
    average: Any,
    batch: BatchArrays,
    start: int,
    stop: int,
    targets: NDArray[np.int32],
    candidates: Candidates,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    classes: NDArray[np.int32],
    total: NDArray[np.float32],
    places: NDArray[np.int32],
    marks: NDArray[np.int32],
    first_stamp: int,
) -> int:
    """Update the weights of the features from slot ``start`` to ``stop``; return the bad rows."""
    row = RowGradient(total, places, marks)
    bad = 0
    for slot in range(start, stop):
        count, stamp = 0, first_stamp + slot
        for entry in range(batch.column_indptr[slot], batch.column_indptr[slot + 1]):
            i, x = batch.column_rows[entry], batch.column_values[entry]
            count = add_example(x, i, targets, candidates, d_targets, d_scores, stamp, row, count)
        feature = batch.features[slot]
        probe = apply_cells(table, rule, average, feature, row.places[:count], classes, row.total)
        bad += 0 if probe == _ZERO else 1
    return bad


@parallel_kernel
def linear_update_each(
    table: Any,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    targets: NDArray[np.int32],
    candidates: Candidates,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    classes: NDArray[np.int32],
    total: NDArray[np.float32],
    places: NDArray[np.int32],
    marks: NDArray[np.int32],
    first_stamp: int,
) -> int:
    """Apply the gradient of a step whose examples have candidates of their own.

    ``classes`` are all of them. ``total`` (float32), ``places`` and ``marks`` (int32) are scratch
    of shape [TILES, V]; in the last no number is ``first_stamp`` or higher, and afterwards none
    above it by more than F. Ownership of rows, ``bias`` and the result are as in
    `linear_update_shared`.
    """
    bad = 0
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), num_features)
        # Three arrays, not a tuple of them: numba shares a tuple made here among the threads.
        bad += _update_rows(
            table,
            rule,
            average,
            batch,
            start,
            stop,
            targets,
            candidates,
            d_targets,
            d_scores,
            classes,
            total[tile],
            places[tile],
            marks[tile],
            first_stamp,
        )
    bias_row = RowGradient(total[0], places[0], marks[0])
    return bad + update_bias_each(
        bias,
        bias_rule,
        bias_average,
        targets,
        candidates,
        d_targets,
        d_scores,
        classes,
        first_stamp + num_features,
        bias_row,
    )
