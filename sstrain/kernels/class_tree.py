"""Draws by a tree over the classes whose nodes know the sum of a kernel over the classes below.

A draw goes down by the children's masses to a leaf, a run of neighbouring classes, and there by the
kernel of each class (Blanc and Rendle 2018, "Adaptive sampled softmax with kernel based sampling",
section 3.2). Masses below a bound, as features that are random or rounding can make them, are
raised to it; q is that of the walk as it is then. What one example has visited is kept until the
next: its draws and the log q of any class go the same ways.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline
from sstrain.kernels.class_features import kernel_value, product, write_query
from sstrain.kernels.counter import split, uniform
from sstrain.kernels.proposal import begin_example, draw_class, write_log_q

__all__ = ["ClassTree"]


class ClassTree(NamedTuple):
    """A tree of L leaves over V classes, with the vectors of a batch; T is the number of tiles.

    Node 1 is the root, the children of n are 2n and 2n + 1, leaf l is node L + l.
    """

    vectors: NDArray[np.float32]  # [V, m], of the classes
    weights: NDArray[np.float32]  # [V], by which the kernel of each class is multiplied
    frequencies: NDArray[np.float32]  # [F, m], of random features; F = 0 for the quadratic kernel
    scale: np.float32  # of the kernel
    floor: float  # the least mass of a node, for each unit of its classes' weight
    left_sums: NDArray[np.float32]  # [L, S], features below the left child of n; row 0: of all
    node_weights: NDArray[np.float64]  # [2 L], the sum of the weights below
    examples: NDArray[np.float32]  # [B, m]
    stamp: NDArray[np.int64]  # [T], the number of the present example
    query: NDArray[np.float32]  # [T, S], features of the present example
    left_stamp: NDArray[np.int64]  # [T, L], the example that visited the node last
    left_mass: NDArray[np.float64]  # [T, L], its mass below the left child; place 0: of all
    leaf_stamp: NDArray[np.int64]  # [T, L], the example that visited the leaf last
    leaf_mass: NDArray[np.float64]  # [T, L], its sum of kernels
    leaf_factor: NDArray[np.float64]  # [T, L], the leaf's probability by its mass
    class_mass: NDArray[np.float32]  # [T, V], kernels of the classes of leaves that were visited


@inline
def _mass(tree: ClassTree, tile: int, row: int, node: int) -> float:
    """Return the mass of a node, whose features are summed in a row."""
    mass = float(product(tree.query[tile], tree.left_sums[row]))
    if len(tree.frequencies) == 0:
        mass += tree.node_weights[node]
    return mass


@inline
def _children(
    tree: ClassTree, tile: int, node: int, mass: float
) -> tuple[float, float, float, float]:
    """Return the masses of a node's children, left and right, and their probabilities."""
    if tree.left_stamp[tile, node] != tree.stamp[tile]:
        tree.left_stamp[tile, node] = tree.stamp[tile]
        tree.left_mass[tile, node] = _mass(tree, tile, node, 2 * node)
    left = tree.left_mass[tile, node]
    right = mass - left
    raised_left = max(left, tree.floor * tree.node_weights[2 * node])
    raised_right = max(right, tree.floor * tree.node_weights[2 * node + 1])
    total = raised_left + raised_right
    return left, right, raised_left / total, raised_right / total


@inline
def _visit_leaf(tree: ClassTree, i: int, tile: int, leaf: int, probability: float) -> None:
    """Find the kernels of a leaf's classes, unless this example has been there."""
    if tree.leaf_stamp[tile, leaf] == tree.stamp[tile]:
        return
    num_classes, num_leaves = len(tree.vectors), len(tree.left_sums)
    quadratic = len(tree.frequencies) == 0
    total = 0.0
    for j in range(leaf * num_classes // num_leaves, (leaf + 1) * num_classes // num_leaves):
        similarity = product(tree.examples[i], tree.vectors[j])
        mass = tree.weights[j] * kernel_value(quadratic, tree.scale, similarity)
        tree.class_mass[tile, j] = mass
        total += mass
    tree.leaf_stamp[tile, leaf] = tree.stamp[tile]
    tree.leaf_mass[tile, leaf] = total
    tree.leaf_factor[tile, leaf] = probability / total


@inline
def _draw_in_leaf(tree: ClassTree, tile: int, leaf: int, point: float) -> int:
    num_classes, num_leaves = len(tree.vectors), len(tree.left_sums)
    start, stop = leaf * num_classes // num_leaves, (leaf + 1) * num_classes // num_leaves
    rest = point * tree.leaf_mass[tile, leaf]
    for j in range(start, stop - 1):
        rest -= tree.class_mass[tile, j]
        if rest < 0:
            return j
    return stop - 1


@inline
def _walk_to(tree: ClassTree, i: int, tile: int, leaf: int) -> None:
    """Go down to a leaf, and visit it."""
    num_leaves = len(tree.left_sums)
    node, mass, probability, bit = 1, tree.left_mass[tile, 0], 1.0, num_leaves // 2
    while node < num_leaves:
        left, right, p_left, p_right = _children(tree, tile, node, mass)
        goes_right = (leaf & bit) != 0
        probability *= p_right if goes_right else p_left
        mass = right if goes_right else left
        node = 2 * node + (1 if goes_right else 0)
        bit //= 2
    _visit_leaf(tree, i, tile, leaf, probability)


def _begin_example(proposal: ClassTree, i: int, tile: int) -> None:
    proposal.stamp[tile] += 1
    write_query(proposal.frequencies, proposal.scale, proposal.examples[i], proposal.query[tile])
    proposal.left_mass[tile, 0] = _mass(proposal, tile, 0, 1)


def _draw_class(proposal: ClassTree, i: int, tile: int, key: np.uint64, index: int) -> int:
    stream, num_leaves = split(key, index), len(proposal.left_sums)
    node, mass, probability, level = 1, proposal.left_mass[tile, 0], 1.0, 0
    while node < num_leaves:
        left, right, p_left, p_right = _children(proposal, tile, node, mass)
        goes_right = uniform(stream, level) >= p_left
        probability *= p_right if goes_right else p_left
        mass = right if goes_right else left
        node = 2 * node + (1 if goes_right else 0)
        level += 1
    leaf = node - num_leaves
    _visit_leaf(proposal, i, tile, leaf, probability)
    return _draw_in_leaf(proposal, tile, leaf, uniform(stream, level))


def _write_log_q(
    proposal: ClassTree, i: int, tile: int, classes: NDArray[np.int32], out: NDArray[np.float64]
) -> None:
    num_classes, num_leaves = len(proposal.vectors), len(proposal.left_sums)
    for k in range(len(classes)):
        leaf = ((classes[k] + 1) * num_leaves - 1) // num_classes
        if proposal.leaf_stamp[tile, leaf] != proposal.stamp[tile]:
            _walk_to(proposal, i, tile, leaf)
        mass = float(proposal.class_mass[tile, classes[k]])
        out[k] = np.log(proposal.leaf_factor[tile, leaf] * mass)


begin_example.register(ClassTree, _begin_example)
draw_class.register(ClassTree, _draw_class)
write_log_q.register(ClassTree, _write_log_q)
