"""Draws without replacement: docs/derivation.md, equations (20) to (22)."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw", "draw_by_arrival_times"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def _first(arrivals: Floats, num_samples: int) -> tuple[Ints, Floats]:
    """Return the ids of the K earliest arrivals, and the time of the one after them, tau."""
    order = np.argsort(arrivals, kind="stable")
    return order[:num_samples], arrivals[order[num_samples]]


def draw(
    q: Floats, num_samples: int, rng: np.random.Generator, max_tries: int | None = None
) -> tuple[Ints, Floats]:
    """Return K distinct classes and the log of their expected counts, by the process itself.

    ``q`` [V] sums to 1; classes of probability 0 never come. ``max_tries`` is 8 K if not given.
    """
    possible = np.flatnonzero(q > 0)
    if num_samples > len(possible):
        raise ValueError("more samples than classes")
    if num_samples == len(possible):
        return possible, np.zeros(num_samples)
    now = 0.0
    arrivals = np.full(len(q), np.inf)
    for _ in range(8 * num_samples if max_tries is None else max_tries):
        now += rng.exponential()
        j = rng.choice(len(q), p=q)
        arrivals[j] = min(arrivals[j], now)
        if np.sum(np.isfinite(arrivals)) == num_samples + 1:
            break
    else:
        for j in possible[np.isinf(arrivals[possible])]:
            arrivals[j] = now + rng.exponential() / q[j]
    classes, tau = _first(arrivals, num_samples)
    return classes, np.log(-np.expm1(-q[classes] * tau))


def draw_by_arrival_times(
    q: Floats, num_samples: int, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """Return what `draw` does, from the classes' arrival times at once; every q above 0."""
    classes, tau = _first(rng.exponential(size=len(q)) / q, num_samples)
    return classes, np.log(-np.expm1(-q[classes] * tau))
