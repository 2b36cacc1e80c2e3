"""Drawing distinct classes from any proposal, with counts that keep sums unbiased."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, outlined
from sstrain.kernels.candidates import NO_CLASS
from sstrain.kernels.counter import split, uniform
from sstrain.kernels.proposal import draw_class, write_log_q
from sstrain.kernels.sorting import sort_classes

__all__ = [
    "Draws",
    "Scratch",
    "draw_without_replacement",
    "every_log_q",
    "log_distinct_count",
    "log_q_of",
    "scratch_of",
]

#: Tries a sample before the rest is drawn by arrival times (equation 22).
_TRIES_PER_SAMPLE = 8


class Draws(NamedTuple):
    """How the draws of every group are made."""

    num_classes: int
    num_samples: int
    replacement: bool


class Scratch(NamedTuple):
    """Arrays of one thread."""

    slots: NDArray[np.int32]  # a hash table of drawn classes
    log_q: NDArray[np.float64]  # [K]
    one_class: NDArray[np.int32]  # [1]
    one_log_q: NDArray[np.float64]  # [1]


@inline
def scratch_of(draws: Draws) -> Scratch:
    """Return the arrays that one thread draws with."""
    return Scratch(
        _empty_slots(0 if draws.replacement else draws.num_samples),
        np.empty(draws.num_samples),
        np.empty(1, np.int32),
        np.empty(1),
    )


@inline
def _empty_slots(num_samples: int) -> NDArray[np.int32]:
    size = 4
    while size < 4 * (num_samples + 1):
        size *= 2
    return np.empty(size, np.int32)


@inline
def log_q_of(proposal: Any, i: int, tile: int, j: int, scratch: Scratch) -> float:
    """Return log q of one class."""
    scratch.one_class[0] = j
    write_log_q(proposal, i, tile, scratch.one_class, scratch.one_log_q)
    return float(scratch.one_log_q[0])


@outlined
def every_log_q(proposal: Any, i: int, tile: int, num_classes: int) -> NDArray[np.float64]:
    """Return log q of every class."""
    log_q = np.empty(num_classes)
    write_log_q(proposal, i, tile, np.arange(num_classes).astype(np.int32), log_q)
    return log_q


@inline
def _insert(slots: NDArray[np.int32], drawn: int) -> bool:
    """Put a class into an open-addressing set; return whether it was new."""
    mask = len(slots) - 1
    slot = (drawn * 0x9E3779B1) & mask
    while slots[slot] != NO_CLASS:
        if slots[slot] == drawn:
            return False
        slot = (slot + 1) & mask
    slots[slot] = drawn
    return True


@inline
def _arrivals(
    proposal: Any,
    i: int,
    tile: int,
    wanted: int,
    key: np.uint64,
    excluded: int,
    classes: NDArray[np.int32],
    slots: NDArray[np.int32],
) -> tuple[int, float]:
    """Run iid draws at the gaps of a Poisson process until ``wanted + 1`` classes have come.

    Returns how many distinct classes came (at most ``wanted + 1``, the last not stored) and the
    time of the last draw.
    """
    slots[:] = NO_CLASS
    draws, gaps = split(key, 0), split(key, 1)
    distinct, time = 0, 0.0
    for index in range(_TRIES_PER_SAMPLE * wanted):
        time -= np.log1p(-uniform(gaps, index))
        drawn = draw_class(proposal, i, tile, draws, index)
        if drawn != excluded and _insert(slots, drawn):
            if distinct == wanted:
                return distinct + 1, time
            classes[distinct] = drawn
            distinct += 1
    return distinct, time


@outlined
def _late_arrivals(
    log_q: NDArray[np.float64],
    wanted: int,
    distinct: int,
    time: float,
    key: np.uint64,
    excluded: int,
    classes: NDArray[np.int32],
) -> float:
    """Give each unseen class its arrival time, take the earliest, return tau (equation 22)."""
    seen = np.zeros(len(log_q), np.bool_)
    for index in range(distinct):
        seen[classes[index]] = True
    if excluded != NO_CLASS:
        seen[excluded] = True
    late = split(key, 2)
    unseen = np.flatnonzero(~seen)
    # Logs of waiting times: 1 / q_j of 1e-300 and below stays finite.
    waits = np.empty(len(unseen))
    for position in range(len(unseen)):
        j = unseen[position]
        waits[position] = np.log(-np.log1p(-uniform(late, j))) - log_q[j]
    order = np.argsort(waits)
    missing = wanted - distinct
    for position in range(missing):
        classes[distinct + position] = unseen[order[position]]
    if missing == len(unseen):
        return np.inf
    return time + float(np.exp(waits[order[missing]]))


@inline
def log_distinct_count(log_q: float, tau: float) -> float:
    """Return ``log(1 - exp(-q tau))``, equation (21)."""
    mean_arrivals = np.exp(log_q) * tau
    if mean_arrivals > 1e-8:
        return float(np.log(-np.expm1(-mean_arrivals)))
    return float(log_q + np.log(tau))  # 1 - exp(-x) is x here, and q_j itself may underflow


@inline
def draw_without_replacement(
    proposal: Any,
    i: int,
    tile: int,
    draws: Draws,
    key: np.uint64,
    excluded: int,
    scratch: Scratch,
    classes: NDArray[np.int32],
) -> float:
    """Draw K distinct classes in rising order; return tau of equations (20) to (22)."""
    wanted = draws.num_samples
    if wanted == draws.num_classes - (0 if excluded == NO_CLASS else 1):
        position = 0
        for j in range(draws.num_classes):
            if j != excluded:
                classes[position] = j
                position += 1
        return np.inf
    distinct, tau = _arrivals(proposal, i, tile, wanted, key, excluded, classes, scratch.slots)
    if distinct <= wanted:
        log_q = every_log_q(proposal, i, tile, draws.num_classes)
        tau = _late_arrivals(log_q, wanted, distinct, tau, key, excluded, classes)
    sort_classes(classes, wanted)
    return float(tau)
