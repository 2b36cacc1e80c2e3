"""Schedules, update rules, weight decay and averaging (26 to 32)."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import schedules, updates

Floats = NDArray[np.float64]


def test_equation_26_schedules() -> None:
    def rates(schedule: str, warmup: int) -> list[float]:
        return [schedules.learning_rate(schedule, 2.0, s, 6, warmup) for s in range(6)]

    assert rates("constant", 2) == [1, 2, 2, 2, 2, 2]
    assert rates("linear", 2) == [1, 2, 2, 1.5, 1, 0.5]
    assert rates("linear", 0) == pytest.approx([2, 10 / 6, 8 / 6, 1, 4 / 6, 2 / 6])
    assert rates("cosine", 2) == pytest.approx([1, 2, 2, 1 + 0.5**0.5, 1, 1 - 0.5**0.5])
    assert rates("inverse_sqrt", 0)[3] == pytest.approx(1)
    assert rates("inverse_sqrt", 4)[:4] == [0.5, 1, 1.5, 2]
    assert rates("inverse_sqrt", 4)[4] == pytest.approx(2 * math.sqrt(4 / 5))


def test_equations_27_28_29_update_rules() -> None:
    weight = np.array([[1.0, 2.0], [3.0, 4.0]])
    gradient = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert updates.sgd(weight, np.zeros(0), gradient, 0.5).tolist() == [[-0.5, 0], [3, 4]]
    accumulator = np.full((2, 2), 0.0625)
    adagrad = updates.adagrad(weight, accumulator, gradient, 0.5)
    assert accumulator.tolist() == [[9.0625, 16.0625], [0.0625, 0.0625]]
    assert adagrad[0, 0] == pytest.approx(1 - 1.5 / math.sqrt(9.0625))
    assert adagrad[1].tolist() == [3, 4]
    row_accumulator = np.array([11.0, 1.0])
    rowwise = updates.rowwise_adagrad(weight, row_accumulator, gradient, 0.5)
    assert row_accumulator.tolist() == [36, 1]
    assert rowwise.tolist() == [[1 - 1.5 / 6, 2 - 2 / 6], [3, 4]]


def test_equations_40_41_adam() -> None:
    """The first step is the rate times the gradient's sign; a cell without gradient stays."""
    weight, moments = np.ones((2, 2)), np.zeros((3, 2, 2))
    first = updates.adam(weight, moments, np.array([[3.0, -4.0], [0.0, 0.0]]), 0.5)
    assert first[0] == pytest.approx([0.5, 1.5])
    assert first[1].tolist() == [1, 1]
    assert moments[2].tolist() == [[1, 1], [0, 0]]
    second = updates.adam(first, moments, np.array([[3.0, 0.0], [0.0, 2.0]]), 0.5)
    assert second[0] == pytest.approx([0, 1.5], abs=1e-6)
    assert second[1] == pytest.approx([1, 0.5])
    third = updates.adam(second, moments, np.array([[0.0, 1.0], [0.0, 0.0]]), 0.5)
    mean, square = 0.9 * -0.4 + 0.1, 0.999 * 0.016 + 0.001
    rate = 0.5 * math.sqrt(1 - 0.999**3) / (1 - 0.9**3)
    assert third[0] == pytest.approx([0, 1.5 - rate * mean / math.sqrt(square)], abs=1e-6)


def random_gradient(step: int, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(100 + step)
    return rng.normal(size=weight.shape), rng.normal(size=bias.shape)


def test_equation_30_sweeps() -> None:
    """Without gradients a sweep is what a decay at every step is; the bias never decays."""
    weight, bias = np.ones((2, 3)), np.ones(3)
    rates = [0.5, 0.4, 0.3, 0.2, 0.1]

    def nothing(step: int, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        return np.zeros_like(weight), np.zeros_like(bias)

    run = updates.run_steps(weight, bias, nothing, rates, l2=0.1, l2_interval=2)
    found = [float(w[0, 0]) for w in run.weights]
    second = 0.95 * 0.96
    fourth = second * 0.97 * 0.98
    assert found == pytest.approx([1, second, second, fourth, fourth * 0.99])
    assert np.all(run.biases[-1] == 1)
    every = updates.run_steps(weight, bias, nothing, rates, l2=0.1, l2_interval=1)
    assert every.weights[-1] == pytest.approx(run.weights[-1])


@pytest.mark.parametrize("rule", ["sgd", "adagrad", "rowwise_adagrad"])
@pytest.mark.parametrize("start", [0, 3])
def test_equations_31_32_averaging(rule: str, start: int) -> None:
    """``w - u / t`` is the mean of the iterates after the start, sweeps included."""
    weight, bias = np.ones((2, 3)), np.zeros(3)
    run = updates.run_steps(
        weight, bias, random_gradient, [0.3] * 9, rule=rule, l2=0.5, l2_interval=2
    )
    iterates = [weight, *run.weights]
    companion = np.zeros_like(weight)
    for t in range(1, len(iterates) - start):
        companion += (t - 1) * (iterates[start + t] - iterates[start + t - 1])
        mean = updates.mean_of_iterates(iterates[start + 1 : start + t + 1])
        assert iterates[start + t] - companion / t == pytest.approx(mean, abs=1e-12)
