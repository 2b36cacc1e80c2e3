"""The counter-based generator: permutations, streams, uniform numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sstrain import kernels
from sstrain.data.batches import epoch_order


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 50), length=st.integers(1, 3000))
def test_an_epoch_visits_every_example_once(seed: int, epoch: int, length: int) -> None:
    order = epoch_order(seed, epoch, length, 0, length)
    assert np.array_equal(np.sort(order), np.arange(length))


@settings(deadline=None, max_examples=30)
@given(length=st.integers(2, 500), data=st.data())
def test_a_slice_of_the_order_needs_nothing_before_it(length: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start, length))
    whole = epoch_order(3, 1, length, 0, length)
    assert np.array_equal(epoch_order(3, 1, length, start, stop), whole[start:stop])


def test_orders_of_four_examples_are_equally_likely() -> None:
    orders = [tuple(epoch_order(seed, 0, 4, 0, 4)) for seed in range(12_000)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-3


def test_epochs_and_seeds_give_unrelated_orders() -> None:
    first, second, other = (epoch_order(s, e, 2000, 0, 2000) for s, e in ((1, 0), (1, 1), (2, 0)))
    for one in (second, other):
        assert abs(np.corrcoef(first, one)[0, 1]) < 0.08


def test_keys_differ_by_every_coordinate() -> None:
    keys = {
        kernels.stream_key(seed, purpose, first, second)
        for seed in range(4)
        for purpose in range(4)
        for first in range(4)
        for second in range(4)
    }
    assert len(keys) == 4**4


@pytest.mark.parametrize("length", [1, 2, 3, 255, 256, 257, 65_537])
def test_lengths_around_powers_of_two(length: int) -> None:
    assert len(set(epoch_order(0, 0, length, 0, length).tolist())) == length
