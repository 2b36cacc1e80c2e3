"""Lanes and tiles against numpy."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sstrain.kernels._jit import CHECKED, kernel
from sstrain.kernels.lanes import TILE, add_to_tile, fetch, highest, load_tile, store_tile

Floats = NDArray[np.float32]


@kernel
def add(first: Floats, x: np.float32, second: Floats, at: int, out: Floats) -> None:
    fetch(second, at)
    store_tile(out, at, add_to_tile(load_tile(first, at), x, second, at))


@kernel
def largest(numbers: Floats) -> np.float32:
    return highest(numbers)


@pytest.mark.parametrize("at", [0, 1, 37])
def test_a_tile_takes_in_a_multiple_of_another_at_any_place(at: int) -> None:
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((2, TILE + 50)).astype(np.float32)
    out = np.full(TILE + 50, np.float32(7))
    add(first, np.float32(0.3), second, at, out)
    expected = np.full(TILE + 50, np.float32(7))
    part = slice(at, at + TILE)
    expected[part] = first[part] + 0.3 * second[part].astype(np.float64)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 31, 32, 100, 256])
def test_the_highest_is_found_wherever_it_stands(count: int) -> None:
    numbers = np.random.default_rng(5).standard_normal(count).astype(np.float32) - 9
    for place in range(count):
        raised = numbers.copy()
        raised[place] = 1.5
        assert largest(raised) == 1.5
    assert largest(numbers) == numbers.max()
    numbers[:] = -np.inf
    assert largest(numbers) == -np.inf


@pytest.mark.skipif(not CHECKED, reason="indices are checked in `make test`'s second pass")
@pytest.mark.parametrize("at", [-1, 51])
def test_a_tile_out_of_bounds_is_an_error_where_indices_are_checked(at: int) -> None:
    array = np.zeros(TILE + 50, np.float32)
    with pytest.raises(IndexError, match="lanes out of bounds"):
        add(array, np.float32(1), array, at, array)
