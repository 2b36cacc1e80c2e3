"""The order of an epoch: every example once, any slice by itself, and in blocks for large data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.data.batches import epoch_order
from sstrain.data.dataset import Dataset


@settings(max_examples=60, deadline=None)
@given(
    num_examples=st.integers(1, 5000),
    block=st.sampled_from([1, 2, 5, 16, 64]),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 50),
    data=st.data(),
)
def test_each_example_once_and_slices_alike(
    num_examples: int, block: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    order = epoch_order(seed, epoch, num_examples, 0, num_examples, block)
    assert sorted(order.tolist()) == list(range(num_examples))
    start = data.draw(st.integers(0, num_examples))
    stop = data.draw(st.integers(start, num_examples))
    part = epoch_order(seed, epoch, num_examples, start, stop, block)
    assert np.array_equal(part, order[start:stop])


def test_a_window_lies_in_few_places_drawn_from_anywhere() -> None:
    count, block = 1_000_003, 64
    order = epoch_order(5, 0, count, 0, count, block)
    window = order[: 256 * block]
    places = np.flatnonzero(np.diff(np.sort(window)) > 1)
    assert len(places) <= 256
    assert len(np.unique(window // (count // 20))) == 20
    assert not np.array_equal(order, epoch_order(5, 1, count, 0, count, block))


@pytest.mark.parametrize("block", [1, 64])
def test_batches_are_like_draws_without_replacement(block: int) -> None:
    """Of examples sorted by class, batches hold each class as often as drawn ones would."""
    count, size = 1 << 18, 128
    order = epoch_order(3, 0, count, 0, count, block)
    first_half = (order < count // 2).reshape(-1, size).sum(axis=1)
    assert abs(first_half.mean() - size / 2) < 1e-9
    drawn = size / 4  # the variance of a count among so many draws
    # A window's blocks are drawn, too: 256 of them add 1/256 of that variance per pair of rows.
    added = size * size / 4 / 256 if block > 1 else 0
    assert first_half.var() == pytest.approx(drawn + added, rel=0.15)


def test_the_first_place_of_each_epoch_is_uniform() -> None:
    firsts = [int(epoch_order(7, epoch, 4096, 0, 1, 16)[0]) for epoch in range(2000)]
    counts = np.bincount(np.array(firsts) // 512, minlength=8)
    assert ((counts - 250) ** 2 / 250).sum() < 24.3  # chi-square, 7 degrees, p = .001


def large(num_examples: int, entries_each: int) -> Dataset:
    """Return a data set of some size that takes no memory."""
    nothing = np.zeros(1, np.int64)
    return Dataset(
        indptr=np.broadcast_to(nothing, num_examples + 1),
        indices=np.broadcast_to(np.zeros(1, np.int32), num_examples * entries_each),
        values=np.broadcast_to(np.zeros(1, np.float32), num_examples * entries_each),
        lines=np.broadcast_to(nothing, num_examples),
        targets=np.broadcast_to(np.zeros(1, np.int32), num_examples),
        weights=np.broadcast_to(np.zeros(1, np.float32), num_examples),
    )


def test_only_large_data_are_shuffled_in_blocks_of_a_quarter_megabyte() -> None:
    assert large(1_000_000, 100).shuffle_block == 1
    shapes = ((20_000_000, 10), (10_000_000, 100), (100_000, 4000), (4_000, 40_000))
    for num_examples, entries_each in shapes:
        block = large(num_examples, entries_each).shuffle_block
        assert block & (block - 1) == 0
        num_bytes = block * (8 * entries_each + 24)
        assert block == 16 or 1 << 17 < num_bytes <= 1 << 18
