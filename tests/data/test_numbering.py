"""Ids in the order of first sight."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.data import numbering
from sstrain.data.numbering import NameNumbering, NameTable, Numbering, name_ids, number_ids


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9), max_size=60)))
def test_each_number_has_one_id(batches: list[list[int]]) -> None:
    table = Numbering()
    expected: dict[int, int] = {}
    for batch in batches:
        ids = table.ids(np.array(batch, np.int64))
        assert ids.tolist() == [expected.setdefault(key, len(expected)) for key in batch]
    assert table.keys.tolist() == list(expected)


def test_many_numbers_outgrow_the_table() -> None:
    rng = np.random.default_rng(0)
    keys = np.concatenate([rng.integers(0, 2**62, 50_000), np.arange(50_000) << 40])
    table = Numbering()
    ids = table.ids(keys)
    assert np.array_equal(table.keys[ids], keys)
    assert len(table.keys) == len(set(keys.tolist()))
    assert np.array_equal(table.ids(keys[::-1]), ids[::-1])


def test_numbers_made_up_to_meet_in_one_slot_take_no_longer() -> None:
    """For the table is hashed by a secret; hashed by the golden ratio these took minutes."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    meeting = (np.arange(200_000, dtype=np.uint64) * np.uint64(inverse)).view(np.int64)
    for keys in (meeting, np.arange(200_000) << 46, np.arange(200_000) << 12):
        start = time.process_time()
        assert np.array_equal(Numbering().ids(keys), np.arange(200_000))
        assert time.process_time() - start < 2


def test_ids_and_buckets_do_not_depend_on_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = np.random.default_rng(0).integers(-5_000, 5_000, 20_000)
    names = [f"name {key}" for key in keys.tolist()]
    found = []
    for seed in (0, 1, 2**63 - 1):
        monkeypatch.setattr(numbering, "_SEED", seed)
        tables = (Numbering(), NameTable(), number_ids(7), name_ids(7))
        ids = [table.ids(keys) for table in tables if isinstance(table, Numbering)]
        ids += [table.ids_of(names) for table in tables if not isinstance(table, Numbering)]
        found.append([part.tolist() for part in ids] + [list(table.names) for table in tables])
    assert found[0] == found[1] == found[2]


def test_names() -> None:
    ids = NameNumbering()
    assert [ids[name] for name in ("b", "a", "b", "c")] == [0, 1, 0, 2]
    assert list(ids) == ["b", "a", "c"]
