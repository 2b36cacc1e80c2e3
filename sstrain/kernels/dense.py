"""The dense table of weights under a sampled gradient: scores and updates of drawn cells."""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel, parallel_kernel, signed
from sstrain.kernels.averaging import record
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.drawing import Candidates
from sstrain.kernels.update_rule import cell_step, row_rate, sums_rows

__all__ = [
    "TILES",
    "Touched",
    "dense_score_each",
    "dense_score_shared",
    "dense_update_each",
    "dense_update_shared",
    "touched_classes",
]

#: Tiles of features or examples that threads take; a row's result does not depend on its tile.
TILES = 16
_ZERO = np.float32(0)


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


@inline
def _tile(tile: int, count: int) -> tuple[int, int]:
    return tile * count // TILES, (tile + 1) * count // TILES


@parallel_kernel
def dense_score_shared(
    weight: NDArray[np.float32],
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
        start, stop = _tile(signed(tile), num_features)
        for slot in range(start, stop):
            row = weight[batch.features[slot]]
            for k in range(count):
                block[slot, k] = row[classes[k]]
    for tile in prange(TILES):
        start, stop = _tile(signed(tile), len(targets))
        for i in range(start, stop):
            for k in range(count):
                scores[i, k] = bias[0, classes[k]]
            target_score = bias[0, targets[i]]
            for entry in range(batch.indptr[i], batch.indptr[i + 1]):
                slot, x = batch.slots[entry], batch.values[entry]
                for k in range(count):
                    scores[i, k] += x * block[slot, k]
                if hits[i] < 0:
                    target_score += x * weight[batch.features[slot], targets[i]]
            target_scores[i] = target_score if hits[i] < 0 else scores[i, hits[i]]


@parallel_kernel
def dense_score_each(
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    batch: BatchArrays,
    targets: NDArray[np.int32],
    candidates: Candidates,
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Score each example's target and its own candidates (equation 1)."""
    for tile in prange(TILES):
        start, stop = _tile(signed(tile), len(targets))
        for i in range(start, stop):
            count = candidates.counts[i]
            classes = candidates.classes[i]
            for k in range(count):
                scores[i, k] = bias[0, classes[k]]
            target_score = bias[0, targets[i]]
            for entry in range(batch.indptr[i], batch.indptr[i + 1]):
                row, x = weight[batch.features[batch.slots[entry]]], batch.values[entry]
                for k in range(count):
                    scores[i, k] += x * row[classes[k]]
                target_score += x * row[targets[i]]
            target_scores[i] = target_score


@inline
def _apply(
    weight: NDArray[np.float32],
    rule: Any,
    average: Any,
    row: int,
    places: NDArray[np.int32],
    classes: NDArray[np.int32],
    gradient: NDArray[np.float32],
) -> np.float32:
    """Update the cells of one row at ``classes[places]`` by the gradients at the same places.

    Returns 0, or NaN if a weight is no longer finite.
    """
    squares = _ZERO
    if sums_rows(rule):
        for place in places:
            squares += gradient[place] * gradient[place]
    rate = row_rate(rule, row, squares)
    probe = np.float32(0)
    for place in places:
        column = classes[place]
        change = cell_step(rule, row, column, gradient[place], rate)
        weight[row, column] += change
        record(average, row, column, change)
        probe += weight[row, column] * _ZERO
    return probe


@inline
def _shared_gradient(
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


@parallel_kernel
def dense_update_shared(
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    touched: Touched,
    num_candidates: int,
    num_touched: int,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
) -> int:
    """Apply the gradient of a step with shared candidates; return the number of bad rows.

    A row of weights is changed by one thread, in an order that the batch alone decides, so that
    the weights are the same bits for any number of threads. ``bias`` has shape [1, V]. A row of
    weights or the bias is bad if it holds a value that is not finite.
    """
    bad = 0
    for tile in prange(TILES):
        gradient = np.zeros(num_touched, np.float32)
        places = np.empty(num_touched, np.int32)
        for k in range(num_candidates):
            places[k] = k
        listed_for = np.full(num_touched, -1, np.int32)
        start, stop = _tile(signed(tile), num_features)
        for slot in range(start, stop):
            gradient[:] = _ZERO
            num_places = num_candidates
            for entry in range(batch.column_indptr[slot], batch.column_indptr[slot + 1]):
                i = batch.column_rows[entry]
                place = touched.target_places[i]
                if place >= num_candidates and listed_for[place] != slot:
                    listed_for[place] = slot
                    places[num_places] = place
                    num_places += 1
                _shared_gradient(
                    batch.column_values[entry],
                    i,
                    touched,
                    num_candidates,
                    d_targets,
                    d_scores,
                    gradient,
                )
            probe = _apply(
                weight,
                rule,
                average,
                batch.features[slot],
                places[:num_places],
                touched.classes,
                gradient,
            )
            bad += 0 if probe == _ZERO else 1
    gradient = np.zeros(num_touched, np.float32)
    for i in range(len(d_targets)):
        _shared_gradient(np.float32(1), i, touched, num_candidates, d_targets, d_scores, gradient)
    places = np.arange(num_touched).astype(np.int32)
    probe = _apply(bias, bias_rule, bias_average, 0, places, touched.classes, gradient)
    return bad + (0 if probe == _ZERO else 1)


@parallel_kernel
def dense_update_each(
    weight: NDArray[np.float32],
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
    gradient: NDArray[np.float32],
    touched: NDArray[np.int32],
) -> int:
    """Apply the gradient of a step whose examples have candidates of their own.

    ``gradient`` (float32, all zeros on entry and on return) and ``touched`` (int32) have shape
    [TILES + 1, V]. Ownership of rows, ``bias`` and the result are as in `dense_update_shared`.
    """
    all_classes = np.arange(weight.shape[1]).astype(np.int32)
    bad = 0
    for tile in prange(TILES + 1):
        total, places = gradient[tile], touched[tile]
        marks = np.full(len(total), -1, np.int32)
        start, stop = (num_features, num_features + 1)  # the bias, as a row that all hold
        if tile < TILES:
            start, stop = _tile(signed(tile), num_features)
        for slot in range(start, stop):
            count = 0
            if tile < TILES:
                first, last = batch.column_indptr[slot], batch.column_indptr[slot + 1]
            else:
                first, last = 0, len(targets)
            for entry in range(first, last):
                i, x = entry, np.float32(1)
                if tile < TILES:
                    i, x = signed(batch.column_rows[entry]), batch.column_values[entry]
                for k in range(candidates.counts[i] + 1):
                    if k < candidates.counts[i]:
                        j, share = candidates.classes[i, k], x * d_scores[i, k]
                    else:
                        j, share = targets[i], x * d_targets[i]
                    if marks[j] != slot:
                        marks[j] = slot
                        places[count] = j
                        count += 1
                    total[j] += share
            if tile < TILES:
                probe = _apply(
                    weight, rule, average, batch.features[slot], places[:count], all_classes, total
                )
            else:
                probe = _apply(bias, bias_rule, bias_average, 0, places[:count], all_classes, total)
            for position in range(count):
                total[places[position]] = _ZERO
            bad += 0 if probe == _ZERO else 1
    return bad
