"""Drawing candidates from a fixed proposal, for the batch at once or for each example.

Each group of draws (one for a shared batch, one an example otherwise) ends as distinct classes in
rising order with their multiplicities and the logs of their expected counts.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel, parallel_kernel
from sstrain.kernels.alias import AliasTable, alias_draw
from sstrain.kernels.counter import split, uniform

__all__ = ["Candidates", "draw_each", "draw_shared", "find_hits"]

_NO_CLASS = -1
#: Rejections of the target after which a draw is made by searching the cumulative sum instead.
_MAX_REJECTIONS = 64
#: Without replacement, tries a sample before the rest is drawn by arrival times (equation 22).
_TRIES_PER_SAMPLE = 8


class Candidates(NamedTuple):
    """Drawn classes: G groups of at most K distinct ones, G = 1 where the batch shares them."""

    classes: NDArray[np.int32]  # [G, K], rising; entries from `counts` on are not set
    multiplicity: NDArray[np.float32]  # [G, K], how often each was drawn
    log_expected_count: NDArray[np.float32]  # [G, K], log(K q_j) for iid draws
    counts: NDArray[np.int32]  # [G], distinct classes


@inline
def _probability_of_others(table: AliasTable, excluded: int) -> float:
    """Return 1 - q_c, by summing where the difference would lose its digits."""
    q = float(np.exp(table.log_q[excluded]))
    if q < 0.9:
        return 1.0 - q
    total = 0.0
    for j in range(len(table.log_q)):
        if j != excluded:
            total += np.exp(table.log_q[j])
    return total


@inline
def _draw_other(table: AliasTable, key: np.uint64, index: int, excluded: int) -> int:
    """Return one draw from q restricted to the classes other than ``excluded``."""
    if excluded == _NO_CLASS:
        return alias_draw(table, key, index)
    attempts = split(key, index)
    for attempt in range(_MAX_REJECTIONS):
        drawn = alias_draw(table, attempts, attempt)
        if drawn != excluded:
            return drawn
    # The target holds nearly all of q: one pass over the other classes draws from the same law.
    rest = uniform(attempts, 2 * _MAX_REJECTIONS) * _probability_of_others(table, excluded)
    last = _NO_CLASS
    for j in range(len(table.log_q)):
        if j != excluded:
            last = j
            rest -= np.exp(table.log_q[j])
            if rest < 0:
                break
    return last


@inline
def _draw_with_replacement(
    table: AliasTable, num_samples: int, key: np.uint64, excluded: int, group: int, out: Candidates
) -> None:
    """Draw K classes iid and merge equal ones (equations 7 and 16)."""
    classes = out.classes[group]
    for index in range(num_samples):
        classes[index] = _draw_other(table, key, index, excluded)
    classes[:num_samples].sort()
    log_scale = np.log(float(num_samples))
    if excluded != _NO_CLASS:
        log_scale -= np.log(_probability_of_others(table, excluded))
    distinct = 0
    for index in range(num_samples):
        if distinct > 0 and classes[index] == classes[distinct - 1]:
            out.multiplicity[group, distinct - 1] += np.float32(1)
            continue
        classes[distinct] = classes[index]
        out.multiplicity[group, distinct] = np.float32(1)
        out.log_expected_count[group, distinct] = log_scale + table.log_q[classes[index]]
        distinct += 1
    out.counts[group] = distinct


@inline
def _insert(slots: NDArray[np.int32], drawn: int) -> bool:
    """Put a class into an open-addressing set; return whether it was new."""
    mask = len(slots) - 1
    slot = (drawn * 0x9E3779B1) & mask
    while slots[slot] != _NO_CLASS:
        if slots[slot] == drawn:
            return False
        slot = (slot + 1) & mask
    slots[slot] = drawn
    return True


@inline
def _arrivals(
    table: AliasTable,
    wanted: int,
    max_tries: int,
    key: np.uint64,
    excluded: int,
    classes: NDArray[np.int32],
    slots: NDArray[np.int32],
) -> tuple[int, float]:
    """Run iid draws at the gaps of a Poisson process until ``wanted + 1`` classes have come.

    Returns how many distinct classes came (at most ``wanted + 1``, the last not stored) and the
    time of the last draw.
    """
    slots[:] = _NO_CLASS
    draws, gaps = split(key, 0), split(key, 1)
    distinct, time = 0, 0.0
    for index in range(max_tries):
        time -= np.log1p(-uniform(gaps, index))
        drawn = alias_draw(table, draws, index)
        if drawn != excluded and _insert(slots, drawn):
            if distinct == wanted:
                return distinct + 1, time
            classes[distinct] = drawn
            distinct += 1
    return distinct, time


@inline
def _late_arrivals(
    table: AliasTable,
    wanted: int,
    distinct: int,
    time: float,
    key: np.uint64,
    excluded: int,
    classes: NDArray[np.int32],
) -> float:
    """Give each unseen class its arrival time, take the earliest, return tau (equation 22)."""
    seen = np.zeros(len(table.log_q), np.bool_)
    for index in range(distinct):
        seen[classes[index]] = True
    if excluded != _NO_CLASS:
        seen[excluded] = True
    late = split(key, 2)
    unseen = np.flatnonzero(~seen)
    # Logs of waiting times: 1 / q_j of 1e-300 and below stays finite.
    waits = np.empty(len(unseen))
    for position in range(len(unseen)):
        j = unseen[position]
        waits[position] = np.log(-np.log1p(-uniform(late, j))) - table.log_q[j]
    order = np.argsort(waits)
    missing = wanted - distinct
    for position in range(missing):
        classes[distinct + position] = unseen[order[position]]
    if missing == len(unseen):
        return np.inf
    return time + float(np.exp(waits[order[missing]]))


@inline
def _draw_without_replacement(
    table: AliasTable,
    num_samples: int,
    key: np.uint64,
    excluded: int,
    group: int,
    slots: NDArray[np.int32],
    out: Candidates,
) -> None:
    """Draw K distinct classes with rank-conditioned expected counts (equations 20 to 22)."""
    classes = out.classes[group]
    available = len(table.log_q) - (0 if excluded == _NO_CLASS else 1)
    if num_samples == available:
        position = 0
        for j in range(len(table.log_q)):
            if j != excluded:
                classes[position] = j
                position += 1
        tau = np.inf
    else:
        tries = _TRIES_PER_SAMPLE * num_samples
        distinct, tau = _arrivals(table, num_samples, tries, key, excluded, classes, slots)
        if distinct <= num_samples:
            tau = _late_arrivals(table, num_samples, distinct, tau, key, excluded, classes)
        classes[:num_samples].sort()
    for index in range(num_samples):
        out.multiplicity[group, index] = np.float32(1)
        mean_arrivals = np.exp(table.log_q[classes[index]]) * tau
        if mean_arrivals > 1e-8:
            log_count = np.log(-np.expm1(-mean_arrivals))
        else:  # 1 - exp(-x) is x here, and q_j itself may underflow
            log_count = table.log_q[classes[index]] + np.log(tau)
        out.log_expected_count[group, index] = log_count
    out.counts[group] = num_samples


@inline
def _draw_group(
    table: AliasTable,
    num_samples: int,
    replacement: bool,
    key: np.uint64,
    excluded: int,
    group: int,
    slots: NDArray[np.int32],
    out: Candidates,
) -> None:
    if replacement:
        _draw_with_replacement(table, num_samples, key, excluded, group, out)
    else:
        _draw_without_replacement(table, num_samples, key, excluded, group, slots, out)


@inline
def _empty_slots(num_samples: int) -> NDArray[np.int32]:
    size = 4
    while size < 4 * (num_samples + 1):
        size *= 2
    return np.empty(size, np.int32)


@kernel
def draw_shared(
    table: AliasTable, num_samples: int, replacement: bool, key: int, out: Candidates
) -> None:
    """Draw one group of candidates for a whole batch."""
    slots = _empty_slots(num_samples)
    _draw_group(table, num_samples, replacement, np.uint64(key), _NO_CLASS, 0, slots, out)


@parallel_kernel
def draw_each(
    table: AliasTable,
    num_samples: int,
    replacement: bool,
    key: int,
    example_ids: NDArray[np.int64],
    excluded: NDArray[np.int32],
    out: Candidates,
) -> None:
    """Draw a group of candidates for each example, each from the stream of its own id.

    Parameters
    ----------
    table : AliasTable
    num_samples : int
        K.
    replacement : bool
    key : int
        Of the stream of the epoch; an example's draws depend on it and on the example's id.
    example_ids : int64 array of shape [B]
    excluded : int32 array of shape [B]
        A class that is never drawn for the example (``resample``), or -1.
    out : Candidates
        Filled in place, G = B.
    """
    for i in prange(len(example_ids)):
        stream = split(np.uint64(key), example_ids[i])
        slots = _empty_slots(num_samples if not replacement else 0)
        _draw_group(table, num_samples, replacement, stream, excluded[i], i, slots, out)


@kernel
def find_hits(candidates: Candidates, targets: NDArray[np.int32], hits: NDArray[np.int32]) -> None:
    """Write each target's position among its candidates, or -1 (binary search in the classes)."""
    for i in range(len(targets)):
        group = 0 if len(candidates.counts) == 1 else i
        low, high = 0, candidates.counts[group]
        while low < high:
            middle = (low + high) // 2
            if candidates.classes[group, middle] < targets[i]:
                low = middle + 1
            else:
                high = middle
        found = low < candidates.counts[group] and candidates.classes[group, low] == targets[i]
        hits[i] = low if found else _NO_CLASS
