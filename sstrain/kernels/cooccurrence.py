"""Drawing from a mixture over an example's features of each feature's share of the classes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.alias import build_alias
from sstrain.kernels.counter import random_bits, uniform
from sstrain.kernels.proposal import begin_example, draw_class, write_log_q

__all__ = ["Cooccurrence", "build_feature_tables", "lay_out_buckets"]

#: What a column of an alias table holds.
_CLASS, _OTHER, _THRESHOLD = 0, 1, 2
#: Classes in a bucket of a hash table: as many as a line of the cache has room for with their
#: probabilities. A bucket holds fewer than half of that on average, so that few overflow.
_ROOM, _FILLED = 8, 3
_EMPTY = -1
#: Hash functions that are tried for a table before it is given more buckets.
_TRIES = 20
#: Features that weigh less than so many of an example's heaviest are passed over: together they
#: hold a few percent of q, and half the time that drawing takes.
_LEAST_WEIGHT = 0.05


class Cooccurrence(NamedTuple):
    """``q(j|x)``: tables fitted before training, and the batch at hand.

    Each feature has an alias table, of which a draw touches one column, and a hash table, of which
    the probability of a class takes one bucket and no branch. Integers and numbers lie side by
    side, as two views of the same memory.
    """

    base_threshold: NDArray[np.float64]  # [V]
    base_alias: NDArray[np.int32]  # [V]
    base_q: NDArray[np.float64]  # [V]
    base_share: float  # l0
    weights: NDArray[np.float64]  # [D], how informative a feature is
    column_indptr: NDArray[np.int64]  # [D + 1]
    columns: NDArray[np.int32]  # [pairs, 3]: class, the other class, -
    column_numbers: NDArray[np.float32]  # [pairs, 3]: -, -, threshold
    bucket_indptr: NDArray[np.int64]  # [D + 1]
    buckets: NDArray[np.int32]  # [buckets, 16]: 8 classes, -1 where empty; -
    bucket_numbers: NDArray[np.float32]  # [buckets, 16]: -; 8 probabilities p(j | f)
    seeds: NDArray[np.int32]  # [D], of a feature's hash function
    indptr: NDArray[np.int64]  # [B + 1], of the batch
    entry_slots: NDArray[np.int32]  # [nnz]
    values: NDArray[np.float32]  # [nnz]
    features: NDArray[np.int32]  # [F]
    parts: NDArray[np.int32]  # [TILES, longest row], features with a share
    cumulative: NDArray[np.float64]  # [TILES, longest row], their shares summed
    num_parts: NDArray[np.int64]  # [TILES]


@inline
def _bucket(j: int, seed: int, count: int) -> int:
    """Return the bucket of a class, of so many."""
    bits = random_bits(np.uint64(seed), j) >> np.uint64(32)
    return np.int64((bits * np.uint64(count)) >> np.uint64(32))  # type: ignore[return-value]


@inline
def _fits(classes: NDArray[np.int32], seed: int, filled: NDArray[np.int32]) -> bool:
    """Tell whether no bucket gets more classes than it has room for."""
    filled[:] = 0
    for j in classes:
        bucket = _bucket(j, seed, len(filled))
        if filled[bucket] == _ROOM:
            return False
        filled[bucket] += 1
    return True


@kernel
def lay_out_buckets(
    indptr: NDArray[np.int64],
    classes: NDArray[np.int32],
    bucket_indptr: NDArray[np.int64],
    seeds: NDArray[np.int32],
) -> None:
    """Find for each feature a number of buckets and a hash function by which its classes fit."""
    bucket_indptr[0] = 0
    for f in range(len(indptr) - 1):
        own = classes[indptr[f] : indptr[f + 1]]
        count = 1 if len(own) <= _ROOM else -(-len(own) // _FILLED)
        filled, seed = np.empty(count, np.int32), 0
        while not _fits(own, seed, filled):
            seed += 1
            if seed % _TRIES == 0:
                count += count // 4 + 1
                filled = np.empty(count, np.int32)
        seeds[f] = seed
        bucket_indptr[f + 1] = bucket_indptr[f] + (count if len(own) > 0 else 0)


@inline
def _fill_buckets(
    classes: NDArray[np.int32],
    p: NDArray[np.float64],
    seed: int,
    buckets: NDArray[np.int32],
    numbers: NDArray[np.float32],
) -> None:
    """Fill a feature's hash table."""
    buckets[:, :_ROOM] = _EMPTY
    numbers[:, _ROOM:] = np.float32(0)
    for pair in range(len(classes)):
        bucket, place = _bucket(classes[pair], seed, len(buckets)), 0
        while buckets[bucket, place] != _EMPTY:
            place += 1
        buckets[bucket, place], numbers[bucket, _ROOM + place] = classes[pair], p[pair]


@inline
def _fill_columns(
    classes: NDArray[np.int32],
    p: NDArray[np.float64],
    columns: NDArray[np.int32],
    numbers: NDArray[np.float32],
) -> None:
    """Fill a feature's alias table, which names classes where others name columns."""
    threshold, alias = np.empty(len(p)), np.empty(len(p), np.int32)
    build_alias(p, threshold, alias)
    for column in range(len(p)):
        columns[column, _CLASS], columns[column, _OTHER] = classes[column], classes[alias[column]]
        numbers[column, _THRESHOLD] = threshold[column]


@kernel
def build_feature_tables(
    indptr: NDArray[np.int64],
    classes: NDArray[np.int32],
    counts: NDArray[np.int32],
    columns: NDArray[np.int32],
    column_numbers: NDArray[np.float32],
    bucket_indptr: NDArray[np.int64],
    buckets: NDArray[np.int32],
    bucket_numbers: NDArray[np.float32],
    seeds: NDArray[np.int32],
) -> None:
    """Fill each feature's tables from its classes' counts, as `lay_out_buckets` laid them out."""
    for f in range(len(indptr) - 1):
        first, last = indptr[f], indptr[f + 1]
        begin, end = bucket_indptr[f], bucket_indptr[f + 1]
        if first == last:
            continue
        own = classes[first:last]
        p = counts[first:last] / np.sum(counts[first:last])
        _fill_columns(own, p, columns[first:last], column_numbers[first:last])
        _fill_buckets(own, p, seeds[f], buckets[begin:end], bucket_numbers[begin:end])


@inline
def _weight(proposal: Cooccurrence, entry: int) -> float:
    """Return what a feature's share is proportional to."""
    f = proposal.features[proposal.entry_slots[entry]]
    return float(abs(float(proposal.values[entry])) * proposal.weights[f])


def _begin_example(proposal: Cooccurrence, i: int, tile: int) -> None:
    first, last = proposal.indptr[i], proposal.indptr[i + 1]
    highest = 0.0
    for entry in range(first, last):
        highest = max(highest, _weight(proposal, entry))
    count, total = 0, 0.0
    for entry in range(first, last):
        weight = _weight(proposal, entry)
        if weight > 0 and weight >= _LEAST_WEIGHT * highest:
            total += weight
            proposal.parts[tile, count] = proposal.features[proposal.entry_slots[entry]]
            proposal.cumulative[tile, count] = total
            count += 1
    for part in range(count):
        proposal.cumulative[tile, part] *= (1 - proposal.base_share) / total
    proposal.num_parts[tile] = count


def _draw_class(proposal: Cooccurrence, i: int, tile: int, key: np.uint64, index: int) -> int:
    point, u = uniform(key, 2 * index), uniform(key, 2 * index + 1)
    part, count = 0, proposal.num_parts[tile]
    while part < count and proposal.cumulative[tile, part] <= point:
        part += 1
    if part == count:
        u *= len(proposal.base_q)
        column = int(u)
        return (
            column if u - column < proposal.base_threshold[column] else proposal.base_alias[column]
        )
    f = proposal.parts[tile, part]
    first = proposal.column_indptr[f]
    u *= proposal.column_indptr[f + 1] - first
    column = first + int(u)
    kept = u - int(u) < proposal.column_numbers[column, _THRESHOLD]
    return int(proposal.columns[column, _CLASS if kept else _OTHER])


@inline
def _bucket_of(proposal: Cooccurrence, f: int, j: int) -> int:
    """Return the bucket where a class of a feature is, if it has it."""
    first = proposal.bucket_indptr[f]
    count = proposal.bucket_indptr[f + 1] - first
    return int(first + _bucket(j, proposal.seeds[f], count))


@inline
def _probability(proposal: Cooccurrence, bucket: int, j: int) -> float:
    """Return p(j | f) from its bucket, without a branch that a processor could guess wrong."""
    found = np.float32(0)
    for place in range(_ROOM):
        is_it = np.float32(proposal.buckets[bucket, place] == j)
        found += is_it * proposal.bucket_numbers[bucket, _ROOM + place]
    return float(found)


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
        f = proposal.parts[tile, part]
        for k in range(len(classes)):
            bucket = _bucket_of(proposal, f, classes[k])
            out[k] += share * _probability(proposal, bucket, classes[k])
    for k in range(len(classes)):
        out[k] = np.log(out[k])


begin_example.register(Cooccurrence, _begin_example)
draw_class.register(Cooccurrence, _draw_class)
write_log_q.register(Cooccurrence, _write_log_q)
