"""Update rules, weight decay, averaging: docs/derivation.md, (27) to (32), (40), (41)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Iterates",
    "adam",
    "adagrad",
    "mean_of_iterates",
    "rowwise_adagrad",
    "run_steps",
    "sgd",
    "sweep",
]

Floats = NDArray[np.float64]
#: From the step's number (from 0), weight [D, V] and bias [V] to the gradients of both.
Gradient = Callable[[int, Floats, Floats], tuple[Floats, Floats]]


def sgd(weight: Floats, accumulator: Floats, gradient: Floats, rate: float) -> Floats:
    """Return the new weights, equation (27); the accumulator is not looked at."""
    return weight - rate * gradient


def adagrad(weight: Floats, accumulator: Floats, gradient: Floats, rate: float) -> Floats:
    """Return the new weights, equation (28), and add to the accumulator of the same shape."""
    accumulator += gradient**2
    return weight - rate * gradient / np.sqrt(accumulator)


def rowwise_adagrad(weight: Floats, accumulator: Floats, gradient: Floats, rate: float) -> Floats:
    """Return the new weights [D, V], equation (29), and add to the accumulator [D].

    The bias goes through as one row [1, V] with an accumulator [1].
    """
    accumulator += np.sum(gradient**2, axis=1)
    return weight - rate * gradient / np.sqrt(accumulator)[:, np.newaxis]


def adam(weight: Floats, accumulator: Floats, gradient: Floats, rate: float) -> Floats:
    """Return the new weights [D, V], equations (40) and (41), with the rule's default constants.

    What a step touches are the cells whose gradient is not 0. The accumulator [3, D, V] holds both
    moments and, in every cell of a row, how many steps have touched the row.
    """
    touched = gradient != 0
    first, second, steps = accumulator
    steps += touched.any(axis=1)[:, np.newaxis]
    first[touched] = (0.9 * first + 0.1 * gradient)[touched]
    second[touched] = (0.999 * second + 0.001 * gradient**2)[touched]
    with np.errstate(divide="ignore", invalid="ignore"):
        row_rate = rate * np.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
        return np.where(touched, weight - row_rate * first / (np.sqrt(second) + 1e-8), weight)


RULES = {"sgd": sgd, "adagrad": adagrad, "rowwise_adagrad": rowwise_adagrad, "adam": adam}


def sweep(weight: Floats, rates: Sequence[float], l2: float) -> Floats:
    """Return the weights after a sweep, equation (30), given the rates since the last sweep."""
    factor = 1.0
    for rate in rates:
        factor *= 1 - rate * l2
    return weight * factor


def mean_of_iterates(iterates: Sequence[Floats]) -> Floats:
    """Return the right side of (32), the plain mean of ``w_1 .. w_t``."""
    return np.asarray(np.mean(np.stack(iterates), axis=0))


@dataclass
class Iterates:
    """Weights and biases after each step of a run, sweeps included."""

    weights: list[Floats] = field(default_factory=list)
    biases: list[Floats] = field(default_factory=list)


def _accumulator(rule: str, parameter: Floats, initial: float) -> Floats:
    if rule == "adam":
        return np.zeros((3, *parameter.shape))
    return np.full(len(parameter) if rule == "rowwise_adagrad" else parameter.shape, initial)


def run_steps(
    weight: Floats,
    bias: Floats,
    gradient: Gradient,
    rates: Sequence[float],
    *,
    rule: str = "sgd",
    initial_accumulator: float = 1.0,
    l2: float = 0.0,
    l2_interval: int = 100,
) -> Iterates:
    """Return every iterate of a run with one rate for each step; the last step ends in a sweep."""
    update = RULES[rule]
    rows = bias[np.newaxis]
    weight_accumulator = _accumulator(rule, weight, initial_accumulator)
    bias_accumulator = _accumulator(rule, rows, initial_accumulator)
    iterates = Iterates()
    pending: list[float] = []
    for step, rate in enumerate(rates):
        d_weight, d_bias = gradient(step, weight, rows[0])
        weight = update(weight, weight_accumulator, d_weight, rate)
        rows = update(rows, bias_accumulator, d_bias[np.newaxis], rate)
        pending.append(rate)
        if (step + 1) % l2_interval == 0 or step + 1 == len(rates):
            weight = sweep(weight, pending, l2)
            pending = []
        iterates.weights.append(weight)
        iterates.biases.append(rows[0])
    return iterates
