"""A hashed table of weights under the exact gradient and in evaluation: all classes, in blocks."""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed, unsigned
from sstrain.kernels.averaging import NotAveraged, averaged
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.hashed import (
    ClassRuns,
    HashedTable,
    first_cell,
    gather_run,
    lane_of,
    line_hash,
    sign_in_line,
)
from sstrain.kernels.hashed_regions import REGIONS, region_shift
from sstrain.kernels.linear_exact import (
    BLOCK,
    Partials,
    apply_block,
    bias_gradient,
    blocks_of,
    relative_exponentials,
    row_gradient,
)
from sstrain.kernels.tables import DenseTable, change_cell

__all__ = ["PART", "hashed_forward", "hashed_score_all", "hashed_update_all"]

#: Classes whose weights are gathered at once, for all of the batch's features.
PART = 64
_ZERO = np.float32(0)


@inline
def _score_part(
    table: HashedTable,
    bias: NDArray[np.float32],
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    runs: ClassRuns,
    part: int,
    gathered: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Write all examples' scores of one part of the classes, float32 [B, classes] (equation 1).

    A line is read once for each feature, however many examples hold it.
    """
    first = part * PART
    width = scores.shape[1]
    for slot in range(num_features):
        for run in range(runs.of_block[part], runs.of_block[part + 1]):
            start, stop = runs.classes[run], runs.classes[run + 1]
            weights = gathered[slot, start - first : stop - first]
            gather_run(table, average, batch.features[slot], start, weights)
    for i in range(len(scores)):
        row = scores[i]
        for k in range(width):
            row[k] = averaged(bias_average, bias[first + k], first + k)
        for entry in range(batch.indptr[i], batch.indptr[i + 1]):
            x, weights = batch.values[entry], gathered[batch.slots[entry]]
            for k in range(width):
                row[k] += x * weights[k]


@parallel_kernel
def hashed_score_all(
    table: HashedTable,
    bias: NDArray[np.float32],
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    runs: ClassRuns,
    scores: NDArray[np.float32],
) -> None:
    """Write the scores of all classes, float32 [B, V], by the averaged weights if there are any.

    ``runs`` are of blocks of `PART` classes.
    """
    num_classes = len(bias)
    for part in prange((num_classes + PART - 1) // PART):
        start = signed(part) * PART
        stop = min(start + PART, num_classes)
        gathered = np.empty((num_features, PART), np.float32)
        _score_part(
            table,
            bias,
            average,
            bias_average,
            batch,
            num_features,
            runs,
            signed(part),
            gathered,
            scores[:, start:stop],
        )


@parallel_kernel
def hashed_forward(
    table: HashedTable,
    bias: NDArray[np.float32],
    batch: BatchArrays,
    num_features: int,
    runs: ClassRuns,
    targets: NDArray[np.int32],
    exponentials: NDArray[np.float32],
    target_scores: NDArray[np.float32],
    partials: Partials,
) -> None:
    """Score all classes, and keep of each block what `dense_forward` does, in the same arrays."""
    num_classes = len(bias)
    live = NotAveraged()
    # Taken out of the tuple: numba drops a write to an array that a parallel loop reaches
    # through a tuple's field.
    block_highest, block_total = partials.highest, partials.total
    for block in prange(blocks_of(num_classes)):
        start = signed(block) * BLOCK
        stop = min(start + BLOCK, num_classes)
        gathered = np.empty((num_features, PART), np.float32)
        for first in range(start, stop, PART):
            scores = exponentials[:, first : min(first + PART, stop)]
            part = first // PART
            _score_part(table, bias, live, live, batch, num_features, runs, part, gathered, scores)
        for i in range(len(targets)):
            if start <= targets[i] < stop:
                target_scores[i] = exponentials[i, targets[i]]
            scores = exponentials[i, start:stop]
            block_highest[block, i], block_total[block, i] = relative_exponentials(scores)


@inline
def _update_run(
    table: HashedTable,
    rule: Any,
    average: Any,
    bits: np.uint64,
    class_key: int,
    gradient: NDArray[np.float32],
    rate: np.float32,
) -> np.float32:
    """Update the cells of one run; return 0, or NaN if one is no longer finite."""
    lane = lane_of(class_key)
    first = first_cell(table, bits) + lane
    probe = _ZERO
    for k in range(len(gradient)):
        signed_gradient = sign_in_line(table, bits, lane + k) * gradient[k]
        probe += change_cell(
            table.values, table.key, rule, average, unsigned(first + k), signed_gradient, rate
        )
    return probe


@inline
def _update_region(
    table: HashedTable,
    rule: Any,
    average: Any,
    batch: BatchArrays,
    num_features: int,
    runs: ClassRuns,
    d_scores: NDArray[np.float32],
    rates: NDArray[np.float32],
    region: int,
) -> int:
    """Update every run whose cells lie in one region; return whether one is not finite."""
    shift = region_shift(table)
    line = np.empty(16, np.float32)
    probe = _ZERO
    for slot in range(num_features):
        feature_key = table.feature_keys[batch.features[slot]]
        for run in range(runs.of_block[-1]):
            start = runs.classes[run]
            class_key = table.class_keys[start]
            bits = line_hash(table, feature_key, class_key)
            if first_cell(table, bits) >> shift == region:
                gradient = line[: runs.classes[run + 1] - start]
                row_gradient(batch, slot, d_scores, start, gradient)
                probe += _update_run(table, rule, average, bits, class_key, gradient, rates[slot])
    return 0 if probe == _ZERO else 1


@parallel_kernel
def hashed_update_all(
    table: HashedTable,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    runs: ClassRuns,
    d_scores: NDArray[np.float32],
    rates: NDArray[np.float32],
) -> int:
    """Apply the exact gradient, region by region; return how many of them are bad.

    ``d_scores`` is float32 [B, V]; ``rates`` as `linear_row_rates` wrote them. A bad block of the
    bias counts too.
    """
    num_classes = len(bias)
    bad = 0
    for region in prange(REGIONS):
        bad += _update_region(
            table,
            rule,
            average,
            batch,
            num_features,
            runs,
            d_scores,
            rates,
            signed(region),
        )
    bias_table = DenseTable(bias, num_classes, np.uint64(0))
    for block in prange(blocks_of(num_classes)):
        start = signed(block) * BLOCK
        gradient = np.empty(min(BLOCK, num_classes - start), np.float32)
        bias_gradient(d_scores, start, gradient)
        probe = apply_block(
            bias_table, bias_rule, bias_average, 0, start, gradient, rates[num_features]
        )
        bad += 0 if probe == _ZERO else 1
    return bad
