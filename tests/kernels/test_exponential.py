"""The float32 exponential against numpy's in float64."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import kernel
from sstrain.kernels.exponential import exp32


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
