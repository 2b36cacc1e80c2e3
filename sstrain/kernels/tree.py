"""Drawing from a binary tree of logistic nodes over the classes, mixed with a fixed proposal.

The tree lies in an array as a heap does: inner nodes are 1 to V - 1, leaves V to 2V - 1, the
children of node m are 2m and 2m + 1, so that depths differ by at most one, whatever V is.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline
from sstrain.kernels.alias import alias_draw
from sstrain.kernels.counter import split, uniform
from sstrain.kernels.exponential import exp32
from sstrain.kernels.proposal import begin_example, draw_class, write_log_q

__all__ = ["TREE_CACHE", "Tree"]

#: Nodes of an example whose probabilities a tile remembers: a power of two.
TREE_CACHE = 1024
#: A node's logit is cut to so much on either side: no branch has less than 3e-7.
_MAX_LOGIT = np.float32(15)
#: The first number of a draw's stream that the walk uses, after the mixture's and the alias draw's.
_FIRST_BRANCH = 4


class Tree(NamedTuple):
    """``q(j | x) = base_weight * base_j + (1 - base_weight) * product of the path's branches``."""

    weights: NDArray[np.float32]  # [V, k + 1], of inner nodes; row 0 is no node's
    class_of_leaf: NDArray[np.int32]  # [V]
    leaf_of_class: NDArray[np.int32]  # [V]
    points: NDArray[np.float32]  # [B, k + 1], the examples' coordinates and a 1
    known_nodes: NDArray[np.int32]  # [TILES, TREE_CACHE], scratch
    known_shares: NDArray[np.float64]  # [TILES, TREE_CACHE], scratch
    base_weight: float
    base: NDArray[np.float64]  # [V]
    threshold: NDArray[np.float64]  # [V], of the base's alias table
    alias: NDArray[np.int32]  # [V], of the base's alias table


@inline
def _left_share(tree: Tree, i: int, tile: int, node: int) -> float:
    """Return the probability that a walk of example i goes left at an inner node."""
    slot = node & (TREE_CACHE - 1)
    if tree.known_nodes[tile, slot] == node:
        return float(tree.known_shares[tile, slot])
    weights, point = tree.weights[node], tree.points[i]
    logit = np.float32(0)
    for d in range(len(point)):
        logit += weights[d] * point[d]
    share = 1.0 / (1.0 + float(exp32(-min(max(logit, -_MAX_LOGIT), _MAX_LOGIT))))
    tree.known_nodes[tile, slot] = node
    tree.known_shares[tile, slot] = share
    return share


@inline
def _leaf_share(tree: Tree, i: int, tile: int, leaf: int) -> float:
    """Return the product of the branches on the way to a leaf, from below."""
    share, node = 1.0, leaf + len(tree.weights)
    while node > 1:
        left = _left_share(tree, i, tile, node >> 1)
        share *= 1.0 - left if node & 1 else left
        node >>= 1
    return share


@inline
def _leaf_shares(tree: Tree, i: int, tile: int) -> NDArray[np.float64]:
    """Return the shares of all leaves in one pass over the tree: float64 [V]."""
    num_classes = len(tree.weights)
    shares = np.ones(2 * num_classes)
    for node in range(1, num_classes):
        left = _left_share(tree, i, tile, node)
        shares[2 * node] = shares[node] * left
        shares[2 * node + 1] = shares[node] * (1.0 - left)
    return shares[num_classes:]


@inline
def _log_mixture(tree: Tree, j: int, share: float) -> float:
    return float(np.log(tree.base_weight * tree.base[j] + (1.0 - tree.base_weight) * share))


def _begin_example(proposal: Tree, i: int, tile: int) -> None:
    proposal.known_nodes[tile, :] = 0


def _draw_class(proposal: Tree, i: int, tile: int, key: np.uint64, index: int) -> int:
    stream = split(key, index)
    if uniform(stream, 0) < proposal.base_weight:
        return alias_draw(proposal, stream, 1)  # type: ignore[arg-type]  # it has a table's fields
    num_classes = len(proposal.weights)
    node, branch = 1, _FIRST_BRANCH
    while node < num_classes:
        right = uniform(stream, branch) >= _left_share(proposal, i, tile, node)
        node = 2 * node + (1 if right else 0)
        branch += 1
    return int(proposal.class_of_leaf[node - num_classes])


def _write_log_q(
    proposal: Tree, i: int, tile: int, classes: NDArray[np.int32], out: NDArray[np.float64]
) -> None:
    # A path is about log2 V nodes: from so many classes on, a pass over all nodes is less work.
    if len(classes) * np.log2(len(proposal.weights) + 1.0) > len(proposal.weights):
        shares = _leaf_shares(proposal, i, tile)
        for k in range(len(classes)):
            share = shares[proposal.leaf_of_class[classes[k]]]
            out[k] = _log_mixture(proposal, classes[k], share)
        return
    for k in range(len(classes)):
        share = _leaf_share(proposal, i, tile, proposal.leaf_of_class[classes[k]])
        out[k] = _log_mixture(proposal, classes[k], share)


begin_example.register(Tree, _begin_example)
draw_class.register(Tree, _draw_class)
write_log_q.register(Tree, _write_log_q)
