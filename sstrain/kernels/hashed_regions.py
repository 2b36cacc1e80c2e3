"""Changing the cells of a hashed table that a sampled step lists.

Two features can share a cell, so what a thread owns is a region of the table. A step lists its
cells by feature and class, brings the list into regions by a counting sort, which is stable, and
lets each region apply its part in order. Nothing depends on which thread takes what.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed, unsigned
from sstrain.kernels.hashed import HashedTable, first_cell, lane_of, line_hash, sign_in_line
from sstrain.kernels.lanes import fetch
from sstrain.kernels.tables import change_cell
from sstrain.kernels.tiles import TILES, tile_bounds
from sstrain.kernels.update_rule import fetch_state, row_rate, sums_rows

__all__ = ["REGIONS", "ListedCells", "SortedCells", "hashed_apply", "list_row", "region_shift"]

#: Regions of equal size that threads take; a cell's result does not depend on its region.
REGIONS = 16
#: Memory is asked for the cell that comes so many later.
_AHEAD = 128
_ZERO = np.float32(0)


class ListedCells(NamedTuple):
    """What a step changes, by the slot of the feature and the place of the class."""

    cells: NDArray[np.uint32]  # [n]
    gradients: NDArray[np.float32]  # [n], of the cell: with its sign
    starts: NDArray[np.int64]  # [F], each slot's first entry
    stops: NDArray[np.int64]  # [F], and the one behind its last
    rates: NDArray[np.float32]  # [F]


class SortedCells(NamedTuple):
    """The same, by region."""

    cells: NDArray[np.uint32]  # [n]
    gradients: NDArray[np.float32]  # [n]
    rates: NDArray[np.float32]  # [n]


@inline
def region_shift(table: HashedTable) -> int:
    """Return how many low bits of a cell do not tell its region."""
    shift = 0
    while (REGIONS << shift) < len(table.values):
        shift += 1
    return shift


@inline
def list_row(
    table: HashedTable,
    rule: Any,
    row: int,
    places: NDArray[np.int32],
    classes: NDArray[np.int32],
    gradient: NDArray[np.float32],
    slot: int,
    start: int,
    listed: ListedCells,
) -> None:
    """List the cells of one row at ``classes[places]`` with their gradients, and the row's rate.

    Neighbouring classes have one hash, which is kept from one to the next.
    """
    feature_key = table.feature_keys[row]
    line, bits = np.int64(-1), np.uint64(0)
    squares = _ZERO
    entry = start
    for place in places:
        class_key = table.class_keys[classes[place]]
        if class_key >> 4 != line:
            line = class_key >> 4
            bits = line_hash(table, feature_key, class_key)
        lane = lane_of(class_key)
        listed.cells[entry] = first_cell(table, bits) + lane
        listed.gradients[entry] = sign_in_line(table, bits, lane) * gradient[place]
        entry += 1
        if sums_rows(rule):
            squares += gradient[place] * gradient[place]
    listed.starts[slot] = start
    listed.stops[slot] = entry
    listed.rates[slot] = row_rate(rule, row, squares)


@inline
def _count_tile(
    listed: ListedCells, first: int, last: int, shift: int, counts: NDArray[np.int64]
) -> None:
    """Count the entries of the slots from ``first`` to ``last`` by region."""
    for slot in range(first, last):
        for entry in range(listed.starts[slot], listed.stops[slot]):
            counts[np.int64(listed.cells[entry]) >> shift] += 1


@inline
def _move_tile(
    listed: ListedCells,
    first: int,
    last: int,
    shift: int,
    positions: NDArray[np.int64],
    out: SortedCells,
) -> None:
    """Copy the entries of the slots from ``first`` to ``last`` to their regions' next positions."""
    for slot in range(first, last):
        rate = listed.rates[slot]
        for entry in range(listed.starts[slot], listed.stops[slot]):
            cell = np.int64(listed.cells[entry])
            position = positions[cell >> shift]
            positions[cell >> shift] = position + 1
            out.cells[position] = cell
            out.gradients[position] = listed.gradients[entry]
            out.rates[position] = rate


@inline
def _positions(counts: NDArray[np.int64], bounds: NDArray[np.int64]) -> None:
    """Turn the counts [tiles, regions] into each tile's first position in each region."""
    position = np.int64(0)
    for region in range(REGIONS):
        bounds[region] = position
        for tile in range(TILES):
            count = counts[tile, region]
            counts[tile, region] = position
            position += count
    bounds[REGIONS] = position


@inline
def _apply_region(
    table: HashedTable, rule: Any, average: Any, entries: SortedCells, start: int, stop: int
) -> int:
    """Change the cells of one region; return whether one is no longer finite."""
    probe = _ZERO
    for entry in range(start, stop):
        ahead = unsigned(entries.cells[unsigned(min(entry + _AHEAD, stop - 1))])
        fetch(table.values, ahead)
        fetch_state(rule, ahead)
        probe += change_cell(
            table.values,
            table.key,
            rule,
            average,
            unsigned(entries.cells[entry]),
            entries.gradients[entry],
            entries.rates[entry],
        )
    return 0 if probe == _ZERO else 1


@parallel_kernel
def hashed_apply(
    table: HashedTable,
    rule: Any,
    average: Any,
    num_features: int,
    listed: ListedCells,
    entries: SortedCells,
) -> int:
    """Apply the listed gradients; return how many regions of the table are bad.

    Cells that are listed more than once are changed once for each entry, in the order of slots
    and places. ``entries`` is scratch of at least as many entries.
    """
    shift = region_shift(table)
    counts = np.zeros((TILES, REGIONS), np.int64)
    bounds = np.empty(REGIONS + 1, np.int64)
    for tile in prange(TILES):
        first, last = tile_bounds(signed(tile), num_features)
        _count_tile(listed, first, last, shift, counts[tile])
    _positions(counts, bounds)
    for tile in prange(TILES):
        first, last = tile_bounds(signed(tile), num_features)
        _move_tile(listed, first, last, shift, counts[tile], entries)
    bad = 0
    for region in prange(REGIONS):
        start, stop = bounds[region], bounds[region + 1]
        bad += _apply_region(table, rule, average, entries, start, stop)
    return bad
