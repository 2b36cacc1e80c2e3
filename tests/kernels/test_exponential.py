"""The float32 exponential against numpy's in float64."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sstrain.kernels._jit import kernel
from sstrain.kernels.exponential import exp32, sum_of_exponentials, to_exponentials


@kernel
def apply(x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for i in range(len(x)):
        out[i] = exp32(x[i])


def exponential(x: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty_like(x)
    apply(x, out)
    return out


def test_relative_error_is_below_one_unit_in_the_last_place() -> None:
    x = np.linspace(-87, 88, 1_000_001).astype(np.float32)
    expected = np.exp(x.astype(np.float64))
    assert np.abs(exponential(x) / expected - 1).max() < 1.2e-7


def test_extremes() -> None:
    x = np.array([np.nan, -np.inf, np.inf, -1e4, 1e4, 0.0], np.float32)
    np.testing.assert_array_equal(exponential(x), [np.nan, 0, np.inf, 0, np.inf, 1])


@kernel
def change(numbers: NDArray[np.float32], top: np.float32) -> float:
    return to_exponentials(numbers, top)


@kernel
def add_up(numbers: NDArray[np.float32], top: np.float32) -> float:
    return sum_of_exponentials(numbers, top)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 255, 256, 257, 513, 1025])
def test_all_of_an_array_and_their_sum(length: int) -> None:
    numbers = np.random.default_rng(length).normal(scale=5, size=length).astype(np.float32)
    top = np.float32(numbers.max(initial=0))
    expected = np.exp(numbers.astype(np.float64) - float(top))
    assert add_up(numbers, top) == pytest.approx(expected.sum(), rel=1e-6)
    found = numbers.copy()
    assert change(found, top) == pytest.approx(expected.sum(), rel=1e-6)
    # A difference has the rounding error of numbers as large as these.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-12)
