"""Which lines of the training file are held out: a hash of the line's number decides."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["LineSplit", "SplitName", "mixed", "uniform_of_lines"]

SplitName = Literal["train", "validation", "test"]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)


def mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return SplitMix64's finaliser (Steele, Lea and Flood 2014) of 64 bits each."""
    bits = (bits ^ (bits >> np.uint64(30))) * _MULTIPLIER_1
    bits = (bits ^ (bits >> np.uint64(27))) * _MULTIPLIER_2
    return bits ^ (bits >> np.uint64(31))


def uniform_of_lines(lines: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Return a number for each line that looks drawn from [0, 1), in steps of 2^-53.

    Parameters
    ----------
    lines : int64 array
        Line numbers.
    seed : int
        From 0; its lowest 64 bits count.
    """
    key = mixed(np.array([seed & (2**64 - 1)], np.uint64) + _GAMMA)
    bits = mixed(key + lines.astype(np.uint64) * _GAMMA)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass(frozen=True)
class LineSplit:
    """A split of a file's lines.

    Attributes
    ----------
    seed : int
    validation, test : float
        The shares that are held out; 0 where that split is none of the training file's.
    """

    seed: int
    validation: float = 0.0
    test: float = 0.0

    def holds(self, name: SplitName, lines: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each line whether the named split holds it."""
        u = uniform_of_lines(lines, self.seed)
        first, last = {
            "test": (0.0, self.test),
            "validation": (self.test, self.test + self.validation),
            "train": (self.test + self.validation, 1.0),
        }[name]
        return (first <= u) & (u < last)
