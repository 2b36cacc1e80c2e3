"""Drawing candidates from any proposal, for the batch at once or for each example.

Each group of draws (one for a shared batch, one an example otherwise) ends as distinct classes in
rising order with their multiplicities and the logs of their expected counts.
"""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel, outlined, parallel_kernel, signed
from sstrain.kernels.borrowed import borrowed
from sstrain.kernels.candidates import NO_CLASS, Candidates
from sstrain.kernels.counter import split, uniform
from sstrain.kernels.distinct import (
    Draws,
    Scratch,
    draw_without_replacement,
    every_log_q,
    log_distinct_count,
    log_q_of,
    scratch_of,
)
from sstrain.kernels.proposal import begin_example, draw_class, write_log_q
from sstrain.kernels.sorting import sort_classes
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = ["all_log_q", "draw_each", "draw_shared"]

#: Rejections of the target after which a draw is made by searching the cumulative sum instead.
_MAX_REJECTIONS = 64


@outlined
def _probability_of_others(
    proposal: Any, i: int, tile: int, draws: Draws, excluded: int, scratch: Scratch
) -> float:
    """Return 1 - q_c, by summing where the difference would lose its digits."""
    q = float(np.exp(log_q_of(proposal, i, tile, excluded, scratch)))
    if q < 0.9:
        return 1.0 - q
    log_q = every_log_q(proposal, i, tile, draws.num_classes)
    total = 0.0
    for j in range(draws.num_classes):
        if j != excluded:
            total += np.exp(log_q[j])
    return total


@outlined
def _search_others(
    proposal: Any, i: int, tile: int, draws: Draws, excluded: int, point: float
) -> int:
    """Return a draw from the classes other than ``excluded`` by one pass over them."""
    log_q = every_log_q(proposal, i, tile, draws.num_classes)
    total = 0.0
    for j in range(draws.num_classes):
        if j != excluded:
            total += np.exp(log_q[j])
    rest = point * total
    last = NO_CLASS
    for j in range(draws.num_classes):
        if j != excluded:
            last = j
            rest -= np.exp(log_q[j])
            if rest < 0:
                break
    return last


@inline
def _draw_with_replacement(
    proposal: Any,
    i: int,
    tile: int,
    draws: Draws,
    key: np.uint64,
    excluded: int,
    classes: NDArray[np.int32],
) -> None:
    """Draw K classes iid, in rising order."""
    rejects = excluded != NO_CLASS
    for index in range(draws.num_samples):
        stream = split(key, index) if rejects else key
        drawn = NO_CLASS
        for attempt in range(_MAX_REJECTIONS):
            drawn = draw_class(proposal, i, tile, stream, attempt if rejects else index)
            if drawn != excluded:
                break
        if drawn == excluded:
            # It holds nearly all of q: one pass over the other classes draws from the same law.
            point = uniform(split(stream, _MAX_REJECTIONS), 0)
            drawn = _search_others(proposal, i, tile, draws, excluded, point)
        classes[index] = drawn
    sort_classes(classes, draws.num_samples)


@inline
def _merge(classes: NDArray[np.int32], num_samples: int, multiplicity: NDArray[np.float32]) -> int:
    """Keep equal classes once, with their number (equation 16); return how many are left."""
    distinct = 0
    for index in range(num_samples):
        if distinct > 0 and classes[index] == classes[distinct - 1]:
            multiplicity[distinct - 1] += np.float32(1)
            continue
        classes[distinct] = classes[index]
        multiplicity[distinct] = np.float32(1)
        distinct += 1
    return distinct


@inline
def _log_count(log_q: float, draws: Draws, scale: float) -> float:
    """Return the log of an expected count, equation (7) or (21)."""
    return scale + log_q if draws.replacement else log_distinct_count(log_q, scale)


@inline
def _draw_group(
    proposal: Any,
    i: int,
    tile: int,
    draws: Draws,
    key: np.uint64,
    excluded: int,
    group: int,
    scratch: Scratch,
    out: Candidates,
) -> float:
    """Draw one group; return what `_log_count` needs of it.

    Of independent draws that is the log of K, or of K / (1 - q_c) where a class is left out; of
    distinct ones tau.
    """
    classes = out.classes[group]
    if draws.replacement:
        _draw_with_replacement(proposal, i, tile, draws, key, excluded, classes)
        scale = np.log(float(draws.num_samples))
        if excluded != NO_CLASS:
            scale -= np.log(_probability_of_others(proposal, i, tile, draws, excluded, scratch))
    else:
        scale = draw_without_replacement(proposal, i, tile, draws, key, excluded, scratch, classes)
    distinct = _merge(classes, draws.num_samples, out.multiplicity[group])
    out.counts[group] = distinct
    write_log_q(proposal, i, tile, classes[:distinct], scratch.log_q[:distinct])
    for index in range(distinct):
        out.log_expected_count[group, index] = _log_count(scratch.log_q[index], draws, scale)
    return float(scale)


@kernel
def draw_shared(
    proposal: Any,
    num_classes: int,
    num_samples: int,
    replacement: bool,
    key: int,
    targets: NDArray[np.int32],
    out: Candidates,
) -> None:
    """Draw one group of candidates for a whole batch, from a q that depends on no example."""
    draws = Draws(num_classes, num_samples, replacement)
    scratch = scratch_of(draws)
    # Of the types that `draw_each` passes: helpers are compiled anew for a constant.
    first, nobody = signed(0), signed(NO_CLASS)
    begin_example(proposal, first, first)
    scale = _draw_group(proposal, first, first, draws, np.uint64(key), nobody, first, scratch, out)
    for i in range(len(targets)):
        log_q = log_q_of(proposal, first, first, signed(targets[i]), scratch)
        out.target_log_expected_count[i] = _log_count(log_q, draws, scale)


@inline
def _draw_examples(
    proposal: Any,
    start: int,
    stop: int,
    tile: int,
    draws: Draws,
    scratch: Scratch,
    key: np.uint64,
    example_ids: NDArray[np.int64],
    targets: NDArray[np.int32],
    exclude_targets: bool,
    out: Candidates,
) -> None:
    proposal, scratch, out = borrowed(proposal), borrowed(scratch), borrowed(out)
    for i in range(start, stop):
        stream = split(key, example_ids[i])
        excluded = targets[i] if exclude_targets else NO_CLASS
        begin_example(proposal, i, tile)
        scale = _draw_group(proposal, i, tile, draws, stream, excluded, i, scratch, out)
        log_q = log_q_of(proposal, i, tile, signed(targets[i]), scratch)
        out.target_log_expected_count[i] = _log_count(log_q, draws, scale)


@parallel_kernel
def draw_each(
    proposal: Any,
    num_classes: int,
    num_samples: int,
    replacement: bool,
    key: int,
    example_ids: NDArray[np.int64],
    targets: NDArray[np.int32],
    exclude_targets: bool,
    out: Candidates,
) -> None:
    """Draw a group of candidates for each example, each from the stream of its own id.

    Parameters
    ----------
    proposal : NamedTuple
        Of a type that `sstrain.kernels.proposal` knows.
    num_classes, num_samples : int
        V, K.
    replacement : bool
    key : int
        Of the stream of the epoch; an example's draws depend on it and on the example's id.
    example_ids : int64 array of shape [B]
    targets : int32 array of shape [B]
    exclude_targets : bool
        Whether an example's own target is never drawn for it (``resample``).
    out : Candidates
        Filled in place, G = B.
    """
    draws = Draws(num_classes, num_samples, replacement)
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(example_ids))
        _draw_examples(
            proposal,
            start,
            stop,
            signed(tile),
            draws,
            scratch_of(draws),
            np.uint64(key),
            example_ids,
            targets,
            exclude_targets,
            out,
        )


@kernel
def all_log_q(proposal: Any, out: NDArray[np.float64]) -> None:
    """Write log q of every class, for each example of a batch or once for all: [1 or B, V]."""
    classes = np.arange(out.shape[1]).astype(np.int32)
    for i in range(len(out)):
        begin_example(proposal, i, 0)
        write_log_q(proposal, i, 0, classes, out[i])
