"""Ids in the order of first sight."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.data.numbering import NameNumbering, Numbering


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9), max_size=60)))
def test_each_number_has_one_id(batches: list[list[int]]) -> None:
    numbering = Numbering()
    expected: dict[int, int] = {}
    for batch in batches:
        ids = numbering.ids(np.array(batch, np.int64))
        assert ids.tolist() == [expected.setdefault(key, len(expected)) for key in batch]
    assert numbering.keys.tolist() == list(expected)


def test_many_numbers_outgrow_the_table() -> None:
    rng = np.random.default_rng(0)
    keys = np.concatenate([rng.integers(0, 2**62, 50_000), np.arange(50_000) << 40])
    numbering = Numbering()
    ids = numbering.ids(keys)
    assert np.array_equal(numbering.keys[ids], keys)
    assert len(numbering.keys) == len(set(keys.tolist()))
    assert np.array_equal(numbering.ids(keys[::-1]), ids[::-1])


def test_names() -> None:
    ids = NameNumbering()
    assert [ids[name] for name in ("b", "a", "b", "c")] == [0, 1, 0, 2]
    assert list(ids) == ["b", "a", "c"]
