"""Proposals by kernels over class vectors: what q is, in float64, without any sharing of work."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tree", "quadratic_q", "rff_q"]

Floats = NDArray[np.float64]


def quadratic_q(h: Floats, vectors: Floats, weights: Floats, alpha: float, offset: float) -> Floats:
    """Return q of all classes [V]: a tree of exact sums leads to the kernels' own shares."""
    masses = weights * (alpha * (vectors @ h + offset) ** 2 + 1)
    return np.asarray(masses / masses.sum())


class Tree(NamedTuple):
    """What the walk by random features goes by."""

    frequencies: Floats  # [F, r]
    nu: float
    floor: float  # the least mass of a unit of weight
    leaves: int


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1))


def _features(tree: Tree, vectors: Floats) -> Floats:
    angles = vectors @ tree.frequencies.T
    both = np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)
    return np.asarray(both / np.sqrt(len(tree.frequencies)))


def rff_q(h: Floats, vectors: Floats, weights: Floats, tree: Tree) -> Floats:
    """Return q of all classes [V], node by node."""
    h, vectors = _unit(h), _unit(vectors)
    estimates = weights * (_features(tree, vectors) @ _features(tree, h))
    kernels = weights * np.exp(tree.nu * (vectors @ h - 1))
    bounds = np.arange(tree.leaves + 1) * len(vectors) // tree.leaves
    q = np.empty(len(vectors))

    def mass(first: int, last: int) -> float:
        part = slice(bounds[first], bounds[last])
        return float(max(estimates[part].sum(), tree.floor * weights[part].sum()))

    def walk(first: int, last: int, probability: float) -> None:
        part = slice(bounds[first], bounds[last])
        if last - first == 1:
            q[part] = probability * kernels[part] / kernels[part].sum()
            return
        middle = (first + last) // 2
        left, right = mass(first, middle), mass(middle, last)
        walk(first, middle, probability * left / (left + right))
        walk(middle, last, probability * right / (left + right))

    walk(0, tree.leaves, 1.0)
    return q
