"""A tree of logistic nodes in a heap's order, mixed with a base: plain loops in float64."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["climbed_objective", "tree_probabilities"]


def sigmoid(x: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return ``1 / (1 + exp(-x))``, the argument cut to 15 on either side, as nodes do."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -15, 15))))


def tree_probabilities(
    weights: NDArray[np.float64],
    class_of_leaf: NDArray[np.int64],
    point: NDArray[np.float64],
    base: NDArray[np.float64],
    base_weight: float,
) -> NDArray[np.float64]:
    """Return q of every class at one point: float64 [V].

    Parameters
    ----------
    weights : [V, k + 1], of node m in row m; its children are 2m and 2m + 1, leaves V to 2V - 1
    class_of_leaf : [V]
    point : [k + 1], ending in 1
    base : [V]
    base_weight : float
    """
    num_classes = len(weights)
    q = base_weight * base

    def visit(node: int, share: float) -> None:
        if node >= num_classes:
            q[class_of_leaf[node - num_classes]] += (1 - base_weight) * share
            return
        left = float(sigmoid(weights[node] @ point))
        visit(2 * node, share * left)
        visit(2 * node + 1, share * (1 - left))

    visit(1, 1.0)
    return q


def climbed_objective(
    w: NDArray[np.float64], points: NDArray[np.float64], left: NDArray[np.bool_], l2: float
) -> float:
    """Return what a node's weights make largest: the log-likelihood less a ridge.

    The intercept, which is last, has a hundredth of the ridge.
    """
    signs = np.where(left, 1.0, -1.0)
    ridge = l2 * np.append(np.ones(len(w) - 1), 0.01)
    return float(-np.logaddexp(0, -signs * (points @ w)).sum() - 0.5 * (ridge * w**2).sum())
