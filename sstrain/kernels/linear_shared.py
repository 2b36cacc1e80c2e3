"""A table of weights under a sampled gradient whose candidates the batch shares.

Scoring serves every table; the update serves those in which a row's cells are its own.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel, parallel_kernel, signed
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.candidates import Candidates
from sstrain.kernels.linear_cells import apply_cells
from sstrain.kernels.tables import DenseTable, fetch_cells, fetch_weights, table_weight
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = ["Touched", "linear_score_shared", "linear_update_shared", "touched_classes"]

_ZERO, _ONE = np.float32(0), np.float32(1)


class Touched(NamedTuple):
    """The classes whose cells a step with shared candidates changes."""

    classes: NDArray[np.int32]  # [K + B]: the candidates, then the targets that are none
    target_places: NDArray[np.int32]  # [B], where each target stands in `classes`


@kernel
def touched_classes(
    candidates: Candidates,
    targets: NDArray[np.int32],
    hits: NDArray[np.int32],
    place_of_class: NDArray[np.int32],
    out: Touched,
) -> int:
    """List the candidates and the other targets once each; return their number.

    ``place_of_class`` (int32, [V]) is all -1, on entry and on return.
    """
    count = int(candidates.counts[0])
    out.classes[:count] = candidates.classes[0, :count]
    for i in range(len(targets)):
        place = hits[i] if hits[i] >= 0 else place_of_class[targets[i]]
        if place < 0:
            place = count
            out.classes[place] = targets[i]
            place_of_class[targets[i]] = place
            count += 1
        out.target_places[i] = place
    for place in range(candidates.counts[0], count):
        place_of_class[out.classes[place]] = -1
    return count


@parallel_kernel
def linear_score_shared(
    table: Any,
    bias: NDArray[np.float32],
    batch: BatchArrays,
    num_features: int,
    targets: NDArray[np.int32],
    hits: NDArray[np.int32],
    candidates: Candidates,
    block: NDArray[np.float32],
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Score each example's target and the candidates that the batch shares (equation 1).

    The cells (feature, candidate) of the batch are first gathered into ``block`` (float32,
    [F, K]), each once however many examples hold the feature.
    """
    count = candidates.counts[0]
    classes = candidates.classes[0]
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), num_features)
        for slot in range(start, stop):
            following = batch.features[min(slot + 1, stop - 1)]
            fetch_weights(table, following, classes[:count])
            row = batch.features[slot]
            for k in range(count):
                block[slot, k] = table_weight(table, row, classes[k])
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(targets))
        for i in range(start, stop):
            for k in range(count):
                scores[i, k] = bias[classes[k]]
            target_score = bias[targets[i]]
            for entry in range(batch.indptr[i], batch.indptr[i + 1]):
                slot, x = batch.slots[entry], batch.values[entry]
                for k in range(count):
                    scores[i, k] += x * block[slot, k]
                if hits[i] < 0:
                    target_score += x * table_weight(table, batch.features[slot], targets[i])
            target_scores[i] = target_score if hits[i] < 0 else scores[i, hits[i]]


@inline
def _add_example(
    x: np.float32,
    i: int,
    touched: Touched,
    count: int,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    gradient: NDArray[np.float32],
) -> None:
    """Add example i's share to a row's gradient, by place (equations 11, 12 and 25)."""
    for k in range(count):
        gradient[k] += x * d_scores[i, k]
    gradient[touched.target_places[i]] += x * d_targets[i]


@inline
def shared_row_gradient(
    batch: BatchArrays,
    slot: int,
    touched: Touched,
    count: int,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    gradient: NDArray[np.float32],
    places: NDArray[np.int32],
    listed_for: NDArray[np.int32],
) -> int:
    """Write one feature's gradient, by place; list the places of its targets after the first.

    Returns how many places the row touches: the candidates, and the targets that are none.
    """
    gradient[:] = _ZERO
    num_places = count
    for entry in range(batch.column_indptr[slot], batch.column_indptr[slot + 1]):
        i = batch.column_rows[entry]
        place = touched.target_places[i]
        if place >= count and listed_for[place] != slot:
            listed_for[place] = slot
            places[num_places] = place
            num_places += 1
        _add_example(batch.column_values[entry], i, touched, count, d_targets, d_scores, gradient)
    return num_places


@inline
def update_bias_shared(
    bias: NDArray[np.float32],
    rule: Any,
    average: Any,
    touched: Touched,
    count: int,
    num_touched: int,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
) -> np.float32:
    """Update the bias, a row that every example holds with x = 1."""
    gradient = np.zeros(num_touched, np.float32)
    for i in range(len(d_targets)):
        _add_example(_ONE, i, touched, count, d_targets, d_scores, gradient)
    places = np.arange(num_touched).astype(np.int32)
    table = DenseTable(bias, len(bias), np.uint64(0))
    return apply_cells(table, rule, average, 0, places, touched.classes, gradient)


@parallel_kernel
def linear_update_shared(
    table: Any,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    touched: Touched,
    count: int,
    num_touched: int,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
) -> int:
    """Apply the gradient of a step with ``count`` shared candidates; return the bad rows.

    A row of weights is changed by one thread, in an order that the batch alone decides, so that
    the weights are the same bits for any number of threads. A row of weights or the bias is bad if
    it holds a value that is not finite.
    """
    bad = 0
    for tile in prange(TILES):
        gradient = np.empty(num_touched, np.float32)
        places = np.arange(num_touched).astype(np.int32)
        listed_for = np.full(num_touched, -1, np.int32)
        start, stop = tile_bounds(signed(tile), num_features)
        for slot in range(start, stop):
            following = batch.features[min(slot + 1, stop - 1)]
            fetch_cells(table, rule, following, touched.classes[:count])
            num_places = shared_row_gradient(
                batch, slot, touched, count, d_targets, d_scores, gradient, places, listed_for
            )
            row, cells = batch.features[slot], places[:num_places]
            probe = apply_cells(table, rule, average, row, cells, touched.classes, gradient)
            bad += 0 if probe == _ZERO else 1
    probe = update_bias_shared(
        bias, bias_rule, bias_average, touched, count, num_touched, d_targets, d_scores
    )
    return bad + (0 if probe == _ZERO else 1)
