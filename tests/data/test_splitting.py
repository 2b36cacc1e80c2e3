"""Which lines are held out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sstrain.data.splitting import LineSplit, uniform_of_lines

LINES = np.arange(1, 100_001)


def plain_uniform(line: int, seed: int) -> float:
    """Return the same by plain integers."""

    def mixed(bits: int) -> int:
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % 2**64
        return bits ^ (bits >> 31)

    gamma = 0x9E3779B97F4A7C15
    key = mixed((seed + gamma) % 2**64)
    return (mixed((key + line * gamma) % 2**64) >> 11) / 2**53


@settings(max_examples=50, deadline=None)
@given(line=st.integers(1, 2**40), seed=st.integers(0, 2**70))
def test_the_numbers_are_those_of_the_plain_hash(line: int, seed: int) -> None:
    assert uniform_of_lines(np.array([line]), seed)[0] == plain_uniform(line, seed % 2**64)


def test_a_split_never_changes_from_version_to_version() -> None:
    split = LineSplit(seed=0, validation=0.05, test=0.05)
    assert LINES[split.holds("test", LINES)][:8].tolist() == [39, 40, 48, 52, 68, 113, 165, 173]
    assert LINES[split.holds("validation", LINES)][:8].tolist() == [
        13,
        20,
        27,
        56,
        89,
        100,
        115,
        118,
    ]


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_the_numbers_look_uniform_and_independent(seed: int) -> None:
    u = uniform_of_lines(LINES, seed)
    assert stats.kstest(u, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.02
    assert abs(np.corrcoef(u, uniform_of_lines(LINES, seed + 1))[0, 1]) < 0.02


def test_each_line_is_in_one_split() -> None:
    split = LineSplit(seed=7, validation=0.2, test=0.1)
    held = np.stack([split.holds(name, LINES) for name in ("train", "validation", "test")])
    assert np.all(held.sum(axis=0) == 1)
    assert np.allclose(held.mean(axis=1), [0.7, 0.2, 0.1], atol=0.005)


def test_a_validation_share_leaves_the_test_lines_as_they_are() -> None:
    alone = LineSplit(seed=7, test=0.1).holds("test", LINES)
    assert np.array_equal(alone, LineSplit(seed=7, validation=0.3, test=0.1).holds("test", LINES))
    assert not LineSplit(seed=7).holds("test", LINES).any()
    assert LineSplit(seed=7).holds("train", LINES).all()
