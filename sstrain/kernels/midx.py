"""Draws by an inverted multi-index: classes in cells, by a codeword for each half of a vector.

The score of a class is taken for the product of the example's vector with the codewords of its
cell, so that the classes of a cell differ by their weights alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import finite, inline, kernel
from sstrain.kernels.alias import AliasTable, alias_draw
from sstrain.kernels.counter import uniform
from sstrain.kernels.cumulative import first_above
from sstrain.kernels.proposal import begin_example, draw_class, write_log_q

__all__ = ["MidxProposal", "fill_cells"]

_ZERO = np.float32(0)


class MidxProposal(NamedTuple):
    """q over V classes in C x C cells, the vectors of a batch, and scratch arrays for each tile."""

    pooled: NDArray[np.float32]  # [B, r]
    columns: NDArray[np.float32]  # [r, C], the codewords: the first half's rows, the second's
    cells: NDArray[np.int32]  # [V], k1 C + k2
    log_weights: NDArray[np.float64]  # [V], at most 0
    cell_weights: NDArray[np.float64]  # [C, C], sums of the weights of a cell's classes
    starts: NDArray[np.int64]  # [C C + 1], each cell's first place in `members`
    members: NDArray[np.int32]  # [V], the classes cell by cell
    cumulative: NDArray[np.float64]  # [V], sums of weights from the cell's start to the member
    threshold: NDArray[np.float64]  # [V], an alias table of the other part of the mixture
    alias: NDArray[np.int32]  # [V]
    log_base: NDArray[np.float64]  # [V]
    base_share: float  # of the other part
    products: NDArray[np.float32]  # [TILES, 2, C], the example's with each half's codewords
    second: NDArray[np.float64]  # [TILES, C], exponentials of the second half's products
    masses: NDArray[np.float64]  # [TILES, C], of the cells of each k1, but for its exponential
    marginal: NDArray[np.float64]  # [TILES, C], sums of the masses of every k1 up to one
    log_mass: NDArray[np.float64]  # [TILES], of all cells
    share: NDArray[np.float64]  # [TILES], `base_share`, or 1 where the cells have no mass


@kernel
def fill_cells(
    cells: NDArray[np.int32],
    log_weights: NDArray[np.float64],
    cell_weights: NDArray[np.float64],
    starts: NDArray[np.int64],
    members: NDArray[np.int32],
    cumulative: NDArray[np.float64],
) -> None:
    """List the classes cell by cell, with sums of their weights (shapes as in `MidxProposal`)."""
    size = len(cell_weights)
    starts[:] = 0
    for j in range(len(cells)):
        starts[cells[j] + 1] += 1
    for cell in range(len(starts) - 1):
        starts[cell + 1] += starts[cell]
    places = starts[:-1].copy()
    cell_weights[:] = 0
    for j in range(len(cells)):
        k1, k2 = cells[j] // size, cells[j] % size
        cell_weights[k1, k2] += np.exp(log_weights[j])
        members[places[cells[j]]] = j
        cumulative[places[cells[j]]] = cell_weights[k1, k2]
        places[cells[j]] += 1


@inline
def _multiply(
    vector: NDArray[np.float32],
    columns: NDArray[np.float32],
    first: int,
    stop: int,
    products: NDArray[np.float32],
) -> float:
    """Write products of a part of a vector with all codewords; return the largest."""
    products[:] = _ZERO
    for d in range(first, stop):
        x, row = vector[d], columns[d]
        for k in range(len(products)):
            products[k] += x * row[k]
    return np.float64(products.max())


@inline
def _mass(weights: NDArray[np.float64], factors: NDArray[np.float64]) -> float:
    total = 0.0
    for k in range(len(weights)):
        total += weights[k] * factors[k]
    return total


def _begin_example(proposal: MidxProposal, i: int, tile: int) -> None:
    vector, columns = proposal.pooled[i], proposal.columns
    products, second = proposal.products[tile], proposal.second[tile]
    masses, marginal = proposal.masses[tile], proposal.marginal[tile]
    half = len(vector) // 2
    highest = _multiply(vector, columns, 0, half, products[0])
    highest_second = _multiply(vector, columns, half, len(vector), products[1])
    for k in range(len(second)):
        second[k] = np.exp(np.float64(products[1, k]) - highest_second)
    total = 0.0
    for k in range(len(masses)):
        masses[k] = _mass(proposal.cell_weights[k], second)
        total += masses[k] * np.exp(np.float64(products[0, k]) - highest)
        marginal[k] = total
    served = total > 0 and finite(total)
    proposal.share[tile] = proposal.base_share if served else 1.0
    proposal.log_mass[tile] = np.log(total) + highest + highest_second


@inline
def _draw_member(proposal: MidxProposal, tile: int, key: np.uint64, index: int) -> int:
    """Draw a class by its cells: k1, then k2, then one of the cell's."""
    masses, second = proposal.masses[tile], proposal.second[tile]
    marginal = proposal.marginal[tile]
    k1 = first_above(marginal, uniform(key, 4 * index + 1) * marginal[-1])
    while k1 > 0 and not masses[k1] > 0:  # rounding led past the last
        k1 -= 1
    rest = uniform(key, 4 * index + 2) * masses[k1]
    weights, drawn = proposal.cell_weights[k1], 0
    for k2 in range(len(second)):
        mass = weights[k2] * second[k2]
        if mass > 0:
            drawn = k2  # where rounding leaves a rest behind all of them, it is the last
        rest -= mass
        if rest < 0:
            break
    cell = k1 * len(second) + drawn
    start, stop = proposal.starts[cell], proposal.starts[cell + 1]
    cumulative = proposal.cumulative[start:stop]
    place = first_above(cumulative, uniform(key, 4 * index + 3) * cumulative[-1])
    return int(proposal.members[start + place])


def _draw_class(proposal: MidxProposal, i: int, tile: int, key: np.uint64, index: int) -> int:
    if uniform(key, 4 * index) < proposal.share[tile]:
        table = AliasTable(proposal.threshold, proposal.alias, proposal.log_base)
        return int(alias_draw(table, key, 2 * index + 1))
    return int(_draw_member(proposal, tile, key, index))


def _write_log_q(
    proposal: MidxProposal,
    i: int,
    tile: int,
    classes: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    products, share = proposal.products[tile], proposal.share[tile]
    size = products.shape[1]
    log_share, log_rest = np.log(share), np.log1p(-share) - proposal.log_mass[tile]
    for k in range(len(classes)):
        j = classes[k]
        by_base = log_share + proposal.log_base[j]
        if share >= 1.0:
            out[k] = by_base
            continue
        cell = proposal.cells[j]
        score = np.float64(products[0, cell // size]) + np.float64(products[1, cell % size])
        by_cell = log_rest + proposal.log_weights[j] + score
        higher, lower = max(by_cell, by_base), min(by_cell, by_base)
        out[k] = higher + np.log1p(np.exp(lower - higher))


begin_example.register(MidxProposal, _begin_example)
draw_class.register(MidxProposal, _draw_class)
write_log_q.register(MidxProposal, _write_log_q)
