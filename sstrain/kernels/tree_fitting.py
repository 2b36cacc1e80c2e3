"""Fitting a tree of logistic nodes from the root down: which classes go left, and by what weights.

Bamler and Mandt (2020), "Extreme classification via adversarial softmax approximation", section 3.
A node's arithmetic is serial, so that a tree has the same bits for any number of threads.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel, parallel_kernel, signed

__all__ = ["ClassedPoints", "fit_tree_level", "tree_spans"]

Float64 = NDArray[np.float64]

#: Examples that a node learns its weights from, at most about; the split is by the sums of all.
_MOST_EXAMPLES = 1 << 16
#: Rounds of a split and weights for it, and Newton steps after each and at the end.
_ROUNDS, _STEPS, _LAST_STEPS = 4, 2, 6
#: Turns of the power iteration that finds the first split.
_TURNS = 12
#: Newton's method ends when no weight moves by more.
_CONVERGED = 1e-3
#: The ridge of the intercept, as a share of that of the weights.
_INTERCEPT_SHARE = 1e-2


class ClassedPoints(NamedTuple):
    """Examples as points of k coordinates and a 1, one class after another."""

    points: NDArray[np.float32]  # [N, k + 1]
    starts: NDArray[np.int64]  # [V + 1], where the points of each class begin
    sums: Float64  # [V, k + 1], of each class's points; the last column counts them


@kernel
def tree_spans(num_classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which leaves lie below each node, from left to right: first and number, [2V]."""
    first, number = np.zeros(2 * num_classes, np.int64), np.ones(2 * num_classes, np.int64)
    for node in range(num_classes - 1, 0, -1):
        number[node] = number[2 * node] + number[2 * node + 1]
    for node in range(1, num_classes):
        first[2 * node] = first[node]
        first[2 * node + 1] = first[node] + number[2 * node]
    return first, number


@inline
def _spread(data: ClassedPoints, classes: NDArray[np.int32]) -> tuple[Float64, Float64]:
    """Return the covariance of the sums of classes about what their counts suggest, and the mean.

    Each class's sum less its count times the mean, as in the paper's start.
    """
    width = data.sums.shape[1]
    total = np.zeros(width)
    for j in classes:
        total += data.sums[j]
    mean = total / max(total[width - 1], 1.0)
    spread, gap = np.zeros((width, width)), np.zeros(width)
    for j in classes:
        count = data.sums[j, width - 1]
        for a in range(width):
            gap[a] = data.sums[j, a] - count * mean[a]
        for a in range(width):
            for b in range(width):
                spread[a, b] += gap[a] * gap[b] / max(count, 1.0)
    return spread, mean


@inline
def _first_direction(data: ClassedPoints, classes: NDArray[np.int32], w: Float64) -> None:
    """Set w to the direction in which classes differ most, through their mean."""
    width = len(w)
    spread, mean = _spread(data, classes)
    w[:] = 1.0
    w[width - 1] = 0.0
    moved = np.zeros(width)
    for _ in range(_TURNS):
        largest = 0.0
        for a in range(width):
            moved[a] = 0.0
            for b in range(width):
                moved[a] += spread[a, b] * w[b]
            largest = max(largest, abs(moved[a]))
        if largest > 0.0:
            for a in range(width):
                w[a] = moved[a] / largest
    w[width - 1] = 0.0
    for a in range(width - 1):
        w[width - 1] -= w[a] * mean[a]


@inline
def _split(data: ClassedPoints, classes: NDArray[np.int32], num_left: int, w: Float64) -> int:
    """Put the classes first whose examples have the largest summed logits; return how many moved.

    Of all splits of these sizes it is the most likely one for the weights.
    """
    logits = np.zeros(len(classes))
    for c in range(len(classes)):
        for d in range(len(w)):
            logits[c] -= w[d] * data.sums[classes[c], d]
    order = np.argsort(logits)
    before = classes.copy()
    moved = 0
    for c in range(len(classes)):
        classes[c] = before[order[c]]
        moved += 1 if c < num_left and order[c] >= num_left else 0
    return moved


@inline
def _add_example(
    point: NDArray[np.float32], sign: float, w: Float64, gradient: Float64, hessian: Float64
) -> float:
    """Add one example's part of the gradient and of minus the Hessian; return log sigma(+-w.y)."""
    logit = 0.0
    for d in range(len(w)):
        logit += w[d] * point[d]
    logit *= sign
    odds = np.exp(-abs(logit))
    miss = (odds if logit > 0 else 1.0) / (1.0 + odds)
    curvature = odds / (1.0 + odds) ** 2
    for a in range(len(w)):
        gradient[a] += sign * miss * point[a]
        scaled = curvature * point[a]
        for b in range(len(w)):
            hessian[a, b] += scaled * point[b]
    return float(min(logit, 0.0) - np.log1p(odds))


@inline
def _accumulate(
    data: ClassedPoints,
    classes: NDArray[np.int32],
    num_left: int,
    w: Float64,
    gradient: Float64,
    hessian: Float64,
) -> float:
    """Sum over a node's examples, or over one in so many of them where it has very many."""
    count = 0
    for j in classes:
        count += data.starts[j + 1] - data.starts[j]
    stride = max(1, count // _MOST_EXAMPLES)
    ahead = 0  # to the next example that is taken
    total = 0.0
    for c in range(len(classes)):
        start, stop = data.starts[classes[c]], data.starts[classes[c] + 1]
        sign = 1.0 if c < num_left else -1.0
        row = start + ahead
        while row < stop:
            total += _add_example(data.points[row], sign, w, gradient, hessian)
            row += stride
        ahead = row - stop
    return total


@inline
def _solve(matrix: Float64, vector: Float64) -> None:
    """Solve a positive definite system in place, by Cholesky's factors."""
    size = len(vector)
    for a in range(size):
        for b in range(a + 1):
            total = matrix[a, b]
            for d in range(b):
                total -= matrix[a, d] * matrix[b, d]
            matrix[a, b] = np.sqrt(max(total, 1e-12)) if a == b else total / matrix[b, b]
        for d in range(a):
            vector[a] -= matrix[a, d] * vector[d]
        vector[a] /= matrix[a, a]
    for a in range(size - 1, -1, -1):
        for d in range(a + 1, size):
            vector[a] -= matrix[d, a] * vector[d]
        vector[a] /= matrix[a, a]


@inline
def _regularise(w: Float64, l2: float, gradient: Float64, hessian: Float64) -> float:
    """Add the ridge to the gradient and to minus the Hessian; return what it takes off."""
    taken = 0.0
    for a in range(len(w)):
        ridge = l2 * (_INTERCEPT_SHARE if a == len(w) - 1 else 1.0)
        gradient[a] -= ridge * w[a]
        hessian[a, a] += ridge
        taken += 0.5 * ridge * w[a] ** 2
    return taken


@inline
def _climb(
    data: ClassedPoints,
    classes: NDArray[np.int32],
    num_left: int,
    l2: float,
    steps: int,
    w: Float64,
) -> None:
    """Take Newton steps up the split's penalised log-likelihood; one that led down is halved."""
    width = len(w)
    highest, reached, step = -np.inf, w.copy(), np.zeros(width)
    for _ in range(steps + 1):
        gradient, hessian = np.zeros(width), np.zeros((width, width))
        height = _accumulate(data, classes, num_left, w, gradient, hessian)
        height -= _regularise(w, l2, gradient, hessian)
        if height >= highest:
            highest = height
            _solve(hessian, gradient)
            reached[:] = w
            step[:] = gradient
        else:
            step *= 0.5
        w[:] = reached + step
        if np.abs(step).max() < _CONVERGED:
            break
    # The last step has not been looked at.
    w[:] = reached


@inline
def _start(data: ClassedPoints, classes: NDArray[np.int32], num_left: int, w: Float64) -> None:
    """Set the weights to what tells the sides apart without looking at an example."""
    left, right = 0.5, 0.5
    for j in classes[:num_left]:
        left += data.sums[j, -1]
    for j in classes[num_left:]:
        right += data.sums[j, -1]
    w[:] = 0.0
    w[-1] = np.log(left / right)


@inline
def _fit_node(
    data: ClassedPoints,
    classes: NDArray[np.int32],
    num_left: int,
    l2: float,
    out: NDArray[np.float32],
) -> None:
    """Order the classes so that those on the left come first, and write the node's weights."""
    w = np.zeros(len(out))
    _first_direction(data, classes, w)
    _split(data, classes, num_left, w)
    _start(data, classes, num_left, w)
    for _ in range(_ROUNDS):
        _climb(data, classes, num_left, l2, _STEPS, w)
        if _split(data, classes, num_left, w) == 0:
            break
    _climb(data, classes, num_left, l2, _LAST_STEPS, w)
    for d in range(len(out)):
        out[d] = w[d]


@inline
def _fit_span(
    data: ClassedPoints,
    node: int,
    first: NDArray[np.int64],
    number: NDArray[np.int64],
    l2: float,
    weights: NDArray[np.float32],
    order: NDArray[np.int32],
) -> None:
    classes = order[first[node] : first[node] + number[node]]
    _fit_node(data, classes, number[2 * node], l2, weights[node])


@parallel_kernel
def fit_tree_level(
    data: ClassedPoints,
    start: int,
    stop: int,
    first: NDArray[np.int64],
    number: NDArray[np.int64],
    l2: float,
    weights: NDArray[np.float32],
    order: NDArray[np.int32],
) -> None:
    """Fit the nodes of one level, those above being fitted.

    Parameters
    ----------
    data : ClassedPoints
    start, stop : int
        The level's nodes.
    first, number : int64 arrays of shape [2V]
        Of `tree_spans`.
    l2 : float
        Ridge of each node's weights; at least some, or separable classes have no best weights.
    weights : float32 array of shape [V, k + 1]
        The nodes' rows are written.
    order : int32 array of shape [V]
        The classes from left to right, as far as they are split; the nodes' spans are reordered.
    """
    for index in prange(stop - start):
        _fit_span(data, start + signed(index), first, number, l2, weights, order)
