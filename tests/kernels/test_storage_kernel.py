"""Weights in bfloat16: what is read and stored, against numbers taken bit by bit in numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_dtypes import bfloat16
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.kernels._jit import kernel
from sstrain.kernels.storage import keep, stored

Float32 = NDArray[np.float32]
Halves = NDArray[np.uint16]
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)
KEYS = st.integers(-(2**63), 2**63 - 1)


@kernel
def read_all(values: Halves | Float32, out: Float32) -> None:
    for cell in range(len(values)):
        out[cell] = stored(values, cell)


@kernel
def keep_all(
    values: Halves | Float32, numbers: Float32, first: int, key: int, out: Float32
) -> None:
    for i in range(len(numbers)):
        out[i] = keep(values, first + i, numbers[i], np.uint64(key))


def read(values: Halves | Float32) -> Float32:
    out = np.empty(len(values), np.float32)
    read_all(values, out)
    return out


def kept(numbers: Float32, key: int, first: int = 0) -> tuple[Float32, Halves]:
    """Store numbers in the cells from ``first`` on; return what `keep` returns, and the cells."""
    values, out = np.zeros(first + len(numbers), np.uint16), np.empty(len(numbers), np.float32)
    keep_all(values, numbers, first, key, out)
    return out, values[first:]


def noise(cell: int, key: int) -> int:
    """Return MurmurHash3's finaliser of cell and key, of which 16 bits are used."""
    low = 2**32 - 1
    bits = (cell * 0x85EBCA6B ^ key ^ key >> 32) & low
    bits = (bits ^ bits >> 16) * 0x85EBCA6B & low
    bits = (bits ^ bits >> 13) * 0xC2B2AE35 & low
    return (bits ^ bits >> 16) & 0xFFFF


def rounded(number: np.float32, cell: int, key: int) -> np.float32:
    """Return a number rounded by the noise of its cell, by integer arithmetic on its bits."""
    if not np.isfinite(number):
        return number
    bits = int(number.view(np.uint32)) + noise(cell, key % 2**64)
    return np.uint32(bits >> 16 << 16).view(np.float32)


def neighbours(number: np.float32) -> tuple[np.float32, np.float32]:
    """Return the two bfloat16 numbers around one, the one towards 0 first."""
    bits = int(number.view(np.uint32)) >> 16 << 16
    return np.uint32(bits).view(np.float32), np.uint32(bits + 0x10000).view(np.float32)


def test_every_half_is_read_as_the_number_it_is() -> None:
    halves = np.arange(2**16, dtype=np.uint16)
    expected = halves.view(bfloat16).astype(np.float32)
    np.testing.assert_array_equal(read(halves), expected)


def test_exact_numbers_are_stored_as_they_are() -> None:
    halves = np.arange(2**16, dtype=np.uint16)
    numbers = halves.view(bfloat16).astype(np.float32)
    for key in (0, 1, 2**62 + 12345):
        found, values = kept(numbers, key)
        np.testing.assert_array_equal(found, numbers)
        exact = ~np.isnan(numbers)
        assert np.array_equal(values[exact], halves[exact])


@settings(max_examples=300, deadline=None)
@given(number=FLOATS, cell=st.integers(0, 3000), key=KEYS)
def test_rounding_is_that_of_the_noise_of_cell_and_key(number: float, cell: int, key: int) -> None:
    single = np.float32(number)
    found, values = kept(np.array([single]), key, first=cell)
    expected = rounded(single, cell, key)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(read(values), expected)


def test_a_vector_loop_rounds_as_one_cell_at_a_time() -> None:
    numbers = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    whole, _ = kept(numbers, 99)
    alone = [kept(numbers[i : i + 1], 99, first=i)[0][0] for i in range(len(numbers))]
    assert np.array_equal(whole, alone)


@pytest.mark.parametrize("number", [1.001, -1.001, 3e-5, -7.77e20, 0.3333333, 1e-40, -1e-39])
@pytest.mark.parametrize("of", ["keys", "cells"])
def test_rounding_is_unbiased(number: float, of: str) -> None:
    count, single = 40_000, np.float32(number)
    below, above = neighbours(single)
    if of == "cells":
        found, _ = kept(np.full(count, single), 5)
    else:
        keys = (kernels.stream_key(1, 4, 0, step) for step in range(count))
        values, found = np.zeros(3, np.uint16), np.empty(count, np.float32)
        for place, key in enumerate(keys):
            keep_all(values, np.array([single]), 2, key, found[place : place + 1])
    assert set(found.tolist()) <= {float(below), float(above)}
    share = float(np.mean(found == above))
    expected = (float(single) - float(below)) / (float(above) - float(below))
    # Five standard errors.
    assert abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / count)


def test_neighbouring_cells_and_steps_round_independently() -> None:
    half = np.full(20_000, np.uint32(0x3F808000).view(np.float32))  # halfway above 1
    keys = [kernels.stream_key(1, 4, 0, step) for step in range(4)]
    ups = np.array([kept(half, key)[0] > 1.005 for key in keys], float)
    shifted = np.concatenate([ups, np.roll(ups, 1, axis=1), np.roll(ups, 16, axis=1)])
    correlations = np.corrcoef(shifted)[~np.eye(len(shifted), dtype=bool)]
    assert np.abs(correlations).max() < 5 / np.sqrt(half.size)


@pytest.mark.parametrize("bits", [0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFF800001, 0xFF80FFFF])
def test_nan_stays_nan(bits: int) -> None:
    found, values = kept(np.full(50, np.uint32(bits).view(np.float32)), 3)
    assert np.isnan(found).all()
    assert np.isnan(values.view(bfloat16)).all()


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_infinity_stays_infinity(infinity: float) -> None:
    found, values = kept(np.full(50, infinity, np.float32), 3)
    assert (found == infinity).all()
    assert (values.view(bfloat16).astype(np.float32) == infinity).all()


def test_the_largest_number_may_become_infinite_and_is_found_by_a_sweep() -> None:
    largest = np.finfo(np.float32).max
    found, _ = kept(np.full(100, largest), 3)
    assert np.isinf(found).mean() > 0.9
    values = np.full(100, np.float32(largest / 2).view(np.uint32) >> 16, np.uint16)
    average = kernels.NotAveraged()
    assert kernels.sweep(values, average, np.float32(1), 3) == 0
    assert kernels.sweep(values, average, np.float32(2.01), 3) == 1


def test_float32_is_stored_as_it_is() -> None:
    numbers = np.random.default_rng(0).normal(size=100).astype(np.float32)
    values, out = np.zeros(103, np.float32), np.empty(100, np.float32)
    keep_all(values, numbers, 3, 7, out)
    assert np.array_equal(out, numbers)
    assert np.array_equal(values[3:], numbers)
    assert np.array_equal(read(values), values)
