"""Drawing from a mixture over an example's features of each feature's share of the classes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.alias import build_alias
from sstrain.kernels.counter import uniform
from sstrain.kernels.proposal import begin_example, draw_class, write_log_q

__all__ = ["Cooccurrence", "build_feature_tables"]

_EMPTY = -1


class Cooccurrence(NamedTuple):
    """``q(j|x)``: tables fitted before training, and the batch at hand.

    A feature's classes lie in an open-addressing hash table whose slots are at once the columns of
    its alias table, so that a draw and a look-up each touch one or two places.
    """

    base_threshold: NDArray[np.float64]  # [V]
    base_alias: NDArray[np.int32]  # [V]
    base_q: NDArray[np.float64]  # [V]
    base_share: float  # l0
    weights: NDArray[np.float64]  # [D], how informative a feature is
    slot_indptr: NDArray[np.int64]  # [D + 1]
    slot_classes: NDArray[np.int32]  # [slots], -1 where empty
    slot_q: NDArray[np.float64]  # [slots], p(j | f)
    slot_threshold: NDArray[np.float64]  # [slots]
    slot_alias: NDArray[np.int32]  # [slots], counted from the feature's first
    indptr: NDArray[np.int64]  # [B + 1], of the batch
    entry_slots: NDArray[np.int32]  # [nnz]
    values: NDArray[np.float32]  # [nnz]
    features: NDArray[np.int32]  # [F]
    parts: NDArray[np.int32]  # [TILES, longest row], features with a share
    cumulative: NDArray[np.float64]  # [TILES, longest row], their shares summed
    num_parts: NDArray[np.int64]  # [TILES]


@inline
def _first_slot(j: int, size: int) -> int:
    """Return where the search for a class begins, by multiplicative hashing."""
    mixed = (np.uint64(j) * np.uint64(0x9E3779B1)) & np.uint64(0xFFFFFFFF)
    return np.int64((mixed * np.uint64(size)) >> np.uint64(32))  # type: ignore[return-value]


@inline
def _close_empty(
    classes: NDArray[np.int32],
    q: NDArray[np.float64],
    threshold: NDArray[np.float64],
    alias: NDArray[np.int32],
) -> None:
    """Send draws of an empty slot that rounding has left open to the most probable class."""
    best = np.argmax(q)
    for slot in range(len(q)):
        if classes[slot] == _EMPTY and threshold[slot] > 0:
            threshold[slot] = 0.0
            if classes[alias[slot]] == _EMPTY:
                alias[slot] = best


@kernel
def build_feature_tables(
    indptr: NDArray[np.int64],
    classes: NDArray[np.int32],
    counts: NDArray[np.int32],
    slot_indptr: NDArray[np.int64],
    slot_classes: NDArray[np.int32],
    slot_q: NDArray[np.float64],
    slot_threshold: NDArray[np.float64],
    slot_alias: NDArray[np.int32],
) -> None:
    """Fill each feature's table from its classes' counts.

    ``slot_classes`` is all -1 and ``slot_q`` all 0 on entry; a feature with classes has more slots
    than classes, one without has none.
    """
    for f in range(len(indptr) - 1):
        first, size = slot_indptr[f], slot_indptr[f + 1] - slot_indptr[f]
        if size == 0:
            continue
        total = 0.0
        for pair in range(indptr[f], indptr[f + 1]):
            total += counts[pair]
        for pair in range(indptr[f], indptr[f + 1]):
            slot = _first_slot(classes[pair], size)
            while slot_classes[first + slot] != _EMPTY:
                slot = slot + 1 if slot + 1 < size else 0
            slot_classes[first + slot] = classes[pair]
            slot_q[first + slot] = counts[pair] / total
        last = first + size
        build_alias(slot_q[first:last], slot_threshold[first:last], slot_alias[first:last])
        _close_empty(
            slot_classes[first:last],
            slot_q[first:last],
            slot_threshold[first:last],
            slot_alias[first:last],
        )


@inline
def _probability(proposal: Cooccurrence, f: int, j: int) -> float:
    """Return p(j | f)."""
    first, size = proposal.slot_indptr[f], proposal.slot_indptr[f + 1] - proposal.slot_indptr[f]
    slot = _first_slot(j, size)
    while proposal.slot_classes[first + slot] != _EMPTY:
        if proposal.slot_classes[first + slot] == j:
            return float(proposal.slot_q[first + slot])
        slot = slot + 1 if slot + 1 < size else 0
    return 0.0


@inline
def _column(
    threshold: NDArray[np.float64], alias: NDArray[np.int32], first: int, size: int, u: float
) -> int:
    """Return a column of an alias table, from the whole and the fractional part of u size."""
    column = int(u * size)
    if u * size - column < threshold[first + column]:
        return column
    return int(alias[first + column])


def _begin_example(proposal: Cooccurrence, i: int, tile: int) -> None:
    count, total = 0, 0.0
    for entry in range(proposal.indptr[i], proposal.indptr[i + 1]):
        f = proposal.features[proposal.entry_slots[entry]]
        weight = abs(float(proposal.values[entry])) * proposal.weights[f]
        if weight > 0:
            total += weight
            proposal.parts[tile, count] = f
            proposal.cumulative[tile, count] = total
            count += 1
    for part in range(count):
        proposal.cumulative[tile, part] *= (1 - proposal.base_share) / total
    proposal.num_parts[tile] = count


def _draw_class(proposal: Cooccurrence, i: int, tile: int, key: np.uint64, index: int) -> int:
    point, u = uniform(key, 2 * index), uniform(key, 2 * index + 1)
    low, high = 0, proposal.num_parts[tile]
    end = high
    while low < high:
        middle = (low + high) // 2
        if proposal.cumulative[tile, middle] <= point:
            low = middle + 1
        else:
            high = middle
    if low == end:
        size = len(proposal.base_q)
        return _column(proposal.base_threshold, proposal.base_alias, 0, size, u)
    f = proposal.parts[tile, low]
    first, size = proposal.slot_indptr[f], proposal.slot_indptr[f + 1] - proposal.slot_indptr[f]
    column = _column(proposal.slot_threshold, proposal.slot_alias, first, size, u)
    return int(proposal.slot_classes[first + column])


def _write_log_q(
    proposal: Cooccurrence,
    i: int,
    tile: int,
    classes: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    count = proposal.num_parts[tile]
    base = 1.0 if count == 0 else 1 - proposal.cumulative[tile, count - 1]
    for k in range(len(classes)):
        out[k] = base * proposal.base_q[classes[k]]
    before = 0.0
    for part in range(count):
        share = proposal.cumulative[tile, part] - before
        before = proposal.cumulative[tile, part]
        for k in range(len(classes)):
            out[k] += share * _probability(proposal, proposal.parts[tile, part], classes[k])
    for k in range(len(classes)):
        out[k] = np.log(out[k])


begin_example.register(Cooccurrence, _begin_example)
draw_class.register(Cooccurrence, _draw_class)
write_log_q.register(Cooccurrence, _write_log_q)
