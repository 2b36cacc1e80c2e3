"""Applying gradients to the rows of a low-rank model: each row has one owner."""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed, unsigned
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.class_columns import ClassColumns
from sstrain.kernels.lanes import LANES, load_lanes, multiply_add, store_lanes
from sstrain.kernels.linear_cells import apply_cells
from sstrain.kernels.products import multiply_transposed
from sstrain.kernels.tables import DenseTable, change_cell, fetch_row, fetch_row_state
from sstrain.kernels.tiles import TILES, part_bounds, tile_bounds
from sstrain.kernels.update_rule import row_rate, sums_rows

__all__ = [
    "low_rank_update_classes",
    "low_rank_update_features",
]

#: Candidates whose gradients are computed together: two vectors of lanes.
_PANEL = 2 * LANES
_ZERO, _ONE = np.float32(0), np.float32(1)


@inline
def apply_row(
    table: DenseTable, rule: Any, average: Any, row: int, gradient: NDArray[np.float32]
) -> int:
    """Update one row of factors; return 1 if it is no longer finite, else 0."""
    squares = _ZERO
    if sums_rows(rule):
        for d in range(len(gradient)):
            squares += gradient[d] * gradient[d]
    rate = row_rate(rule, row, squares)
    first = row * table.width
    probe = _ZERO
    for d in range(len(gradient)):
        cell = unsigned(first + d)
        probe += change_cell(table.values, table.key, rule, average, cell, gradient[d], rate)
    return 0 if probe == _ZERO else 1


@inline
def apply_bias(
    bias: NDArray[np.float32],
    rule: Any,
    average: Any,
    classes: NDArray[np.int32],
    gradient: NDArray[np.float32],
) -> int:
    """Update the biases of some classes, one row; return 1 if one is no longer finite."""
    table = DenseTable(bias, len(bias), np.uint64(0))
    places = np.arange(len(gradient)).astype(np.int32)
    probe = apply_cells(table, rule, average, 0, places, classes, gradient)
    return 0 if probe == _ZERO else 1


@inline
def add_scaled(total: NDArray[np.float32], x: np.float32, vector: NDArray[np.float32]) -> None:
    """Add x times a vector."""
    for d in range(len(total)):
        total[d] += x * vector[d]


@parallel_kernel
def low_rank_update_features(
    table: DenseTable,
    rule: Any,
    average: Any,
    batch: BatchArrays,
    num_features: int,
    d_pooled: NDArray[np.float32],
) -> int:
    """Apply the gradient to the vectors of the batch's features (equation 46); return bad rows."""
    bad = 0
    for tile in prange(TILES):
        gradient = np.empty(table.width, np.float32)
        start, stop = tile_bounds(signed(tile), num_features)
        for slot in range(start, stop):
            following = batch.features[min(slot + 1, stop - 1)]
            fetch_row(table, following)
            fetch_row_state(table, rule, following)
            gradient[:] = _ZERO
            for entry in range(batch.column_indptr[slot], batch.column_indptr[slot + 1]):
                example = batch.column_rows[entry]
                add_scaled(gradient, batch.column_values[entry], d_pooled[example])
            bad += apply_row(table, rule, average, batch.features[slot], gradient)
    return bad


@inline
def _update_class(
    table: DenseTable,
    rule: Any,
    average: Any,
    place: int,
    row: int,
    columns: ClassColumns,
    pooled: NDArray[np.float32],
    gradient: NDArray[np.float32],
    bias_gradient: NDArray[np.float32],
) -> int:
    """Add a class's own score gradients to those that it shares, and update its vector."""
    for entry in range(columns.indptr[place], columns.indptr[place + 1]):
        add_scaled(gradient, columns.values[entry], pooled[columns.examples[entry]])
        bias_gradient[place] += columns.values[entry]
    return apply_row(table, rule, average, row, gradient)


@inline
def _pack_scores(
    d_scores: NDArray[np.float32],
    start: int,
    number: int,
    panel: NDArray[np.float32],
    bias_gradient: NDArray[np.float32],
) -> None:
    """Copy some candidates' score gradients to a panel, float32 [B, 32], and add them up."""
    flat, width, packed = d_scores.reshape(-1), d_scores.shape[1], panel.reshape(-1)
    if number == _PANEL:
        sums, others = load_lanes(flat, start), load_lanes(flat, start + LANES)
        store_lanes(packed, 0, sums)
        store_lanes(packed, LANES, others)
        for i in range(1, len(panel)):
            lanes = load_lanes(flat, i * width + start)
            store_lanes(packed, i * _PANEL, lanes)
            sums = multiply_add(_ONE, lanes, sums)
            lanes = load_lanes(flat, i * width + start + LANES)
            store_lanes(packed, i * _PANEL + LANES, lanes)
            others = multiply_add(_ONE, lanes, others)
        store_lanes(bias_gradient, start, sums)
        store_lanes(bias_gradient, start + LANES, others)
        return
    sums_of_few = np.zeros(number, np.float32)
    for i in range(len(panel)):
        row = d_scores[i, start : start + number]
        for k in range(number):
            panel[i, k] = row[k]
            sums_of_few[k] += row[k]
        for k in range(number, _PANEL):
            panel[i, k] = _ZERO
    bias_gradient[start : start + number] = sums_of_few


@inline
def _update_candidates(
    table: DenseTable,
    rule: Any,
    average: Any,
    classes: NDArray[np.int32],
    columns: ClassColumns,
    pooled: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    start: int,
    stop: int,
    bias_gradient: NDArray[np.float32],
) -> int:
    """Update the shared candidates at some places; return the bad rows."""
    panel = np.empty((len(pooled), _PANEL), np.float32)
    products = np.empty((table.width, _PANEL), np.float32)
    gradient = np.empty(table.width, np.float32)
    bad = 0
    for first in range(start, stop, _PANEL):
        number = min(_PANEL, stop - first)
        for place in range(first, first + number):
            fetch_row_state(table, rule, classes[place])
        _pack_scores(d_scores, first, number, panel, bias_gradient)
        multiply_transposed(pooled, panel, products)
        for k in range(number):
            for d in range(table.width):
                gradient[d] = products[d, k]
            place = first + k
            bad += _update_class(
                table,
                rule,
                average,
                place,
                classes[place],
                columns,
                pooled,
                gradient,
                bias_gradient,
            )
    return bad


@parallel_kernel
def low_rank_update_classes(
    table: DenseTable,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    average: Any,
    bias_average: Any,
    classes: NDArray[np.int32],
    columns: ClassColumns,
    pooled: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    bias_gradient: NDArray[np.float32],
) -> int:
    """Apply the gradient to vectors and biases of the listed classes (45); return the bad rows.

    ``classes`` is int32 [P], ``bias_gradient`` (scratch) float32 [P]. The first classes are the
    candidates that the batch shares, with score gradients ``d_scores``, float32 [B, K], of which
    there may be none; what else a class has is in ``columns``.
    """
    bad = 0
    shared = d_scores.shape[1]
    num_panels = (shared + _PANEL - 1) // _PANEL
    num_tiles = min(TILES, num_panels) if shared else TILES
    for tile in prange(num_tiles):
        start, stop = part_bounds(signed(tile), num_tiles, num_panels)
        bad += _update_candidates(
            table,
            rule,
            average,
            classes,
            columns,
            pooled,
            d_scores,
            start * _PANEL,
            min(stop * _PANEL, shared),
            bias_gradient,
        )
        gradient = np.empty(table.width, np.float32)
        first, last = part_bounds(signed(tile), num_tiles, len(classes) - shared)
        for place in range(shared + first, shared + last):
            fetch_row_state(table, rule, classes[min(place + 1, len(classes) - 1)])
            gradient[:] = _ZERO
            bias_gradient[place] = _ZERO
            bad += _update_class(
                table,
                rule,
                average,
                place,
                classes[place],
                columns,
                pooled,
                gradient,
                bias_gradient,
            )
    return bad + apply_bias(bias, bias_rule, bias_average, classes, bias_gradient)
