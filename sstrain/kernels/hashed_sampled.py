"""A hashed table of weights under a sampled gradient: the list of the cells that a step changes."""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.candidates import Candidates
from sstrain.kernels.hashed import HashedTable
from sstrain.kernels.hashed_regions import ListedCells, list_row
from sstrain.kernels.linear_each import RowGradient, add_example, update_bias_each
from sstrain.kernels.linear_shared import Touched, shared_row_gradient, update_bias_shared
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = ["hashed_list_each", "hashed_list_shared"]

_ZERO = np.float32(0)


@parallel_kernel
def hashed_list_shared(
    table: HashedTable,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    touched: Touched,
    count: int,
    num_touched: int,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    listed: ListedCells,
) -> int:
    """List the cells of a step with ``count`` shared candidates; update the bias.

    ``listed`` has room for ``num_features * count`` entries and one for each of the batch's.
    Returns 1 if the bias is no longer finite, else 0.
    """
    for tile in prange(TILES):
        gradient = np.empty(num_touched, np.float32)
        places = np.arange(num_touched).astype(np.int32)
        listed_for = np.full(num_touched, -1, np.int32)
        first, last = tile_bounds(signed(tile), num_features)
        for slot in range(first, last):
            num_places = shared_row_gradient(
                batch, slot, touched, count, d_targets, d_scores, gradient, places, listed_for
            )
            start = slot * count + batch.column_indptr[slot]
            row, cells = batch.features[slot], places[:num_places]
            list_row(table, rule, row, cells, touched.classes, gradient, slot, start, listed)
    probe = update_bias_shared(
        bias, bias_rule, bias_average, touched, count, num_touched, d_targets, d_scores
    )
    return 0 if probe == _ZERO else 1


@inline
def _list_rows(
    table: HashedTable,
    rule: Any,
    batch: BatchArrays,
    first: int,
    last: int,
    targets: NDArray[np.int32],
    candidates: Candidates,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    classes: NDArray[np.int32],
    total: NDArray[np.float32],
    places: NDArray[np.int32],
    marks: NDArray[np.int32],
    first_stamp: int,
    listed: ListedCells,
) -> None:
    """List the cells of the features from slot ``first`` to ``last``."""
    gradient = RowGradient(total, places, marks)
    width = candidates.classes.shape[1] + 1
    for slot in range(first, last):
        count, stamp = 0, first_stamp + slot
        for entry in range(batch.column_indptr[slot], batch.column_indptr[slot + 1]):
            i, x = batch.column_rows[entry], batch.column_values[entry]
            count = add_example(
                x, i, targets, candidates, d_targets, d_scores, stamp, gradient, count
            )
        start = batch.column_indptr[slot] * width
        row = batch.features[slot]
        list_row(table, rule, row, places[:count], classes, total, slot, start, listed)


@parallel_kernel
def hashed_list_each(
    table: HashedTable,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
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
    listed: ListedCells,
) -> int:
    """List the cells of a step whose examples have candidates of their own; update the bias.

    Classes, scratch and stamps are as in `linear_update_each`; ``listed`` has room for K + 1
    entries for each of the batch's. Returns 1 if the bias is no longer finite, else 0.
    """
    for tile in prange(TILES):
        first, last = tile_bounds(signed(tile), num_features)
        # Three arrays, not a tuple of them: numba shares a tuple made here among the threads.
        _list_rows(
            table,
            rule,
            batch,
            first,
            last,
            targets,
            candidates,
            d_targets,
            d_scores,
            classes,
            total[tile],
            places[tile],
            marks[tile],
            first_stamp,
            listed,
        )
    bias_row = RowGradient(total[0], places[0], marks[0])
    return update_bias_each(
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
