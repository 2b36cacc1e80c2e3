"""The counter-based random generator: every number is a pure function of a key and an index.

SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): the
n-th number of a stream is a hash of ``key + n * GAMMA``, so that any part of a stream can be
computed on its own, by any thread, before or after an interruption.
"""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel

__all__ = ["permuted", "permuted_in_blocks", "random_bits", "stream_key", "uniform"]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_ONE = np.uint64(1)
_TWO_TO_MINUS_53 = 2.0**-53


@inline
def mix(bits: np.uint64) -> np.uint64:
    """Return SplitMix64's finaliser of 64 bits."""
    bits = (bits ^ (bits >> _30)) * _MULTIPLIER_1
    bits = (bits ^ (bits >> _27)) * _MULTIPLIER_2
    return np.uint64(bits ^ (bits >> _31))


@inline
def split(key: np.uint64, index: int) -> np.uint64:
    """Return the key of a sub-stream, independent of its neighbours'."""
    return mix(mix(key + _GAMMA) ^ (np.uint64(index) * _MULTIPLIER_1 + _GAMMA))


@inline
def random_bits(key: np.uint64, index: int) -> np.uint64:
    """Return the 64 random bits at one index of a stream."""
    return mix(key + (np.uint64(index) + _ONE) * _GAMMA)


@inline
def uniform(key: np.uint64, index: int) -> float:
    """Return the number at one index of a stream, uniform on [0, 1) in steps of 2^-53."""
    return float(random_bits(key, index) >> _11) * _TWO_TO_MINUS_53


@kernel
def stream_key(seed: int, purpose: int, first: int, second: int) -> int:
    """Return the key of the stream for one purpose, at two coordinates (epoch and step, say).

    The 64 bits come as an int64, so that they pass through Python unchanged.
    """
    return np.int64(split(split(split(np.uint64(seed), purpose), first), second))  # type: ignore[return-value]


@inline
def permute(key: np.uint64, length: int, position: int) -> int:
    """Return one element of a permutation of ``range(length)``.

    A Feistel network of six rounds on an even number of bits (at least 8) that holds ``length``,
    walked along its cycle while it leaves the range (Black and Rogaway 2002, "Ciphers with
    arbitrary finite domains").
    """
    half = np.uint64(4)  # smaller networks do not reach all orders of a handful of elements
    while (_ONE << (half + half)) < np.uint64(length):
        half += _ONE
    mask = (_ONE << half) - _ONE
    value = np.uint64(position)
    while True:
        left, right = value >> half, value & mask
        for round_number in range(6):
            mixed = random_bits(key ^ (right * _MULTIPLIER_2), round_number) >> _11
            left, right = right, left ^ (mixed & mask)
        value = (left << half) | right
        if value < np.uint64(length):
            return np.int64(value)  # type: ignore[return-value]


@kernel
def permuted(key: int, length: int, start: int, stop: int, out: NDArray[np.int64]) -> None:
    """Write the elements ``start`` to ``stop`` of a permutation of ``range(length)``.

    Any slice costs what it holds.
    """
    for position in range(start, stop):
        out[position - start] = permute(np.uint64(key), length, position)


@kernel
def permuted_in_blocks(
    key: int, length: int, shape: tuple[int, int], start: int, stop: int, out: NDArray[np.int64]
) -> None:
    """Write the elements ``start`` to ``stop`` of a permutation whose neighbours lie in few blocks.

    The range, begun at a random place, is cut into blocks. A window is so many blocks, drawn from
    anywhere; its elements are permuted among themselves, and one window follows another. Elements
    that fill no block belong to the last window.

    Parameters
    ----------
    key, length, start, stop, out
        As in `permuted`.
    shape : tuple of int
        The elements of a block, and the blocks of a window.
    """
    block, blocks_per_window = shape
    window, num_blocks = block * blocks_per_window, length // block
    bits = np.uint64(key)
    shift = int(np.int64(split(bits, 0) % np.uint64(length)))
    for position in range(start, stop):
        number = position // window
        first = number * window
        size = min(window, length - first)
        within = permute(split(bits, number + 1), size, position - first)
        slot = number * blocks_per_window + within // block
        element = first + within
        if slot < num_blocks:
            element = permute(bits, num_blocks, slot) * block + within % block
        element += shift
        out[position - start] = element - length if element >= length else element
